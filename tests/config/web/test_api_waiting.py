"""Requests that wait leave half of the web server's threads free: /health always answers."""

import http.client
import json
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.db import connections

from config.operate.serving import web_server
from config.web.limits import WEB_THREADS
from jobs.api import waiting
from jobs.control.removal_work import removal_finish
from jobs.models import Job
from jobs.registry import owners
from jobs.states import JobStatus
from tests.helpers.api_client import PREFIX
from tests.helpers.empty_owners import empty_owners
from tests.helpers.factories import PATIENCE_SECONDS
from tests.helpers.threads import until

pytestmark = pytest.mark.usefixtures("sent")  # messages go to a broker of the test


@pytest.fixture
def address(db, monkeypatch):
    """The address of the real web server, in a thread."""
    monkeypatch.setattr(owners, "_owners", empty_owners())
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)  # its threads keep no connection
    with web_server("127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        yield urlsplit(server.quarry_url).netloc
        server.close()
        thread.join(PATIENCE_SECONDS)
        server.task_dispatcher.shutdown()


@contextmanager
def connected(address):
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        yield connection
    finally:
        connection.close()


def cleanup(address, api, job, seconds):
    """Return status and body of a cleanup that waits so many seconds."""
    headers = api.headers | {"Prefer": f"wait={seconds}"}
    with connected(address) as connection:
        connection.request("POST", f"{PREFIX}/jobs/{job.pk}/cleanup", headers=headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())


def health(address):
    with connected(address) as connection:
        connection.request("GET", "/health")
        return connection.getresponse().status


@pytest.mark.django_db(transaction=True)
def test_health_answers_while_as_many_wait_as_may(address, api, make_job, in_thread):
    assert waiting.places.number == WEB_THREADS // 2
    jobs = [make_job(1, status=JobStatus.COMPLETED) for _ in range(WEB_THREADS + 2)]
    waiters = [in_thread(cleanup, address, api, job, 30) for job in jobs]
    beyond = len(jobs) - WEB_THREADS // 2
    until(lambda: sum(side.is_over for side in waiters) == beyond, "those without a place were answered at once")
    for _ in range(WEB_THREADS):
        assert health(address) == 200
    assert sum(side.is_over for side in waiters) == beyond  # the others are still waiting
    assert all(side.result()[0] == 202 for side in waiters if side.is_over)
    still = [side for side in waiters if not side.is_over]
    for job_id in Job.objects.values_list("pk", flat=True):
        removal_finish(job_id)
    assert [side.result()[0] for side in still] == [200] * (WEB_THREADS // 2)
    assert {status for status, _ in [cleanup(address, api, jobs[0], 30)]} == {200}  # the places are free again
