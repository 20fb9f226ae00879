import io
import json
import logging
import sys

import pytest
from django.test import Client

from config.logging import JsonFormatter
from config.web.security import CONTENT_SECURITY_POLICY
from config.wsgi import application

# Django closes old connections at the start of a request: without the right to, a test fails if an earlier one left
# a connection open.
pytestmark = pytest.mark.django_db(transaction=True)


def ask(path):
    """Ask the WSGI application and return status, headers and body."""
    seen = {}

    def start_response(status, headers, exc_info=None):
        seen.update(status=int(status.split()[0]), headers=dict(headers))

    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
    }
    response = application(environ, start_response)
    body = b"".join(response)
    response.close()
    return seen["status"], seen["headers"], body


def test_static_files_come_from_the_apps_with_all_headers():
    status, headers, body = ask("/static/admin/css/base.css")
    assert (status, headers["Content-Type"]) == (200, "text/css")
    assert b"--primary" in body
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "public, max-age=3600"


@pytest.mark.parametrize(
    "path", ["/static/none.css", "/static/../config/settings.py", "/static/%2e%2e/.env", "/static/\0", "/static/admin"]
)
def test_what_no_app_offers_is_not_served(path):
    status, headers, _ = ask(path)
    assert status == 404
    assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "Cache-Control" not in headers


def test_pages_carry_the_policy_and_the_other_headers():
    response = Client().get("/admin/login/", headers={"host": "localhost"})
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["X-Frame-Options"] == "DENY"


def test_a_log_line_is_json_with_its_data():
    record = logging.makeLogRecord(
        {"name": "jobs", "levelno": 20, "levelname": "INFO", "msg": "job_cancelled", "job_id": 3, "level": "mine"}
    )
    line = json.loads(JsonFormatter().format(record))
    assert (line["event"], line["logger"], line["level"], line["job_id"]) == ("job_cancelled", "jobs", "info", 3)


def test_a_log_line_keeps_its_exception():
    try:
        raise ValueError("broken\nin two")
    except ValueError:
        record = logging.getLogger("jobs").makeRecord("jobs", 40, __file__, 1, "failed", (), exc_info=True)
        record.exc_info = sys.exc_info()
    text = JsonFormatter().format(record)
    assert "\n" not in text
    assert "ValueError: broken" in json.loads(text)["exception"]
