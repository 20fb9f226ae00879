"""The web server of the embedded profile: what it lets through to the application, and whom its key lets in."""

import http.client
import json
import threading
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User

from config.operate import serving
from config.web.limits import MAX_BODY_BYTES
from jobs.api.keys import key_user
from tests.helpers.factories import PATIENCE_SECONDS

PROXY_HEADERS = {
    "Forwarded": "for=10.0.0.1;host=evil.example;proto=https",
    "X-Forwarded-For": "10.0.0.1",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "444",
    "X-Forwarded-By": "evil.example",
}


@pytest.fixture
def seen(monkeypatch):
    """The environ of each request that reached the application, which answers all of them alike."""
    environs = []

    def application(environ, start_response):
        environs.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
        return [b"ok"]

    monkeypatch.setattr(serving, "application", application)
    return environs


@pytest.fixture
def address(seen):
    """The address of a running web server."""
    with serving.web_server("127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield urlsplit(server.quarry_url).netloc
        server.close()
        thread.join(PATIENCE_SECONDS)
        server.task_dispatcher.shutdown()


def answered(address, headers, method="GET"):
    """Return the status of a request whose headers are sent as they are, without a body."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)
    try:
        connection.putrequest(method, "/anything")
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


def test_proxy_headers_of_an_untrusted_peer_are_ignored(address, seen):
    assert answered(address, PROXY_HEADERS | {"X-Else": "kept"}) == 200
    [environ] = seen
    assert environ["HTTP_X_ELSE"] == "kept"
    assert [name for name in environ if "FORWARDED" in name] == []
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("127.0.0.1", "http")
    assert environ["HTTP_HOST"] == address


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(address, seen):
    assert answered(address, {"Content-Length": str(MAX_BODY_BYTES)}, method="POST") == 413
    assert seen == []


@pytest.fixture
def home(settings, tmp_path):
    """A data folder of its own, in which the server announces itself."""
    settings.QUARRY = replace(settings.QUARRY, home=tmp_path)
    return tmp_path


def test_the_local_key_lets_nobody_in_once_the_server_has_closed(db, home):
    chief = User.objects.create_superuser("chief")
    with serving.web_server("127.0.0.1", 0) as server:
        server.quarry_announce()
        announced = json.loads((home / "up.json").read_text())
        assert announced["url"] == server.quarry_url
        assert key_user(announced["key"]) == chief
    assert key_user(announced["key"]) is None
    assert key_user("") is None
    assert not (home / "up.json").exists()


def test_the_file_with_the_local_key_is_private_and_only_there_while_announced(db, home):
    with serving.web_server("127.0.0.1", 0) as server:
        assert not (home / "up.json").exists()
        server.quarry_announce()
        assert (home / "up.json").stat().st_mode & 0o777 == 0o600
        with serving.web_server("127.0.0.1", 0):
            assert (home / "up.json").exists()
