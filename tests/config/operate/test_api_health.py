"""Liveness asks nothing; readiness asks every component and names the one that is down."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import OperationalError
from django.test import Client

from config.operate import health
from extraction.vectors import process_store
from extraction.vectors.stores.base import StoreUnavailable
from jobs.worker import host


def test_health_answers_without_a_database(django_assert_num_queries):
    reply = Client().get("/health")  # without the `db` fixture a query would fail the test
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})
    assert "no-store" in reply.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/health", "/readyz"])
def test_only_reading_is_possible(path):
    assert Client().post(path).status_code == 405


@contextmanager
def down(error):
    raise error
    yield


class Store:
    """A vector store that knows nothing, or does not answer."""

    def __init__(self, error=None):
        self.error = error

    def existing(self, ids):
        if self.error:
            raise self.error
        return set()


@pytest.fixture
def everything_up(db, monkeypatch):
    monkeypatch.setattr(host, "is_hosted", lambda: True)
    with process_store.bound(Store(), None):
        yield


def test_ready_when_everything_is_up(everything_up):
    reply = Client().get("/readyz")
    assert reply.status_code == 200
    assert reply.json()["status"] == "ready"
    assert {name: one["status"] for name, one in reply.json()["components"].items()} == {
        "database": "ok",
        "vectors": "ok",
        "workers": "ok",
    }


def components_down():
    reply = Client().get("/readyz")
    components = reply.json()["components"]
    assert (reply.status_code, reply.json()["status"]) == (503, "unready")
    return {name: one["detail"] for name, one in components.items() if one["status"] == "down"}


def test_not_ready_without_workers(everything_up, monkeypatch):
    monkeypatch.setattr(host, "is_hosted", lambda: False)
    assert components_down() == {"workers": "No process is running the workers; start one with `manage.py up`."}


def test_not_ready_without_vectors(everything_up):
    with process_store.bound(Store(StoreUnavailable("The store does not answer; start it.")), None):
        assert components_down() == {"vectors": "The store does not answer; start it."}


def test_not_ready_without_database(everything_up, monkeypatch):
    class Connection:
        def cursor(self):
            return down(OperationalError("password of 10.1.2.3"))

    monkeypatch.setattr(health, "connection", Connection())
    found = components_down()
    assert found == {"database": "The database does not answer; start it, or check DATABASE_URL."}


@pytest.mark.django_db(transaction=True)
def test_the_real_lock_says_who_works():
    with process_store.bound(Store(), None):
        assert set(components_down()) == {"workers"}


class Broker:
    """A message broker that answers, or does not."""

    def __init__(self, error=None):
        self.error = error
        self.connection = object()

    def get_queue_message_counts(self, queue):
        if self.error:
            raise self.error
        return (0, 0, 0)


@pytest.mark.parametrize(("error", "down"), [(None, set()), (ConnectionError("amqp://user:secret@h"), {"workers"})])
def test_with_a_broker_of_its_own_the_broker_is_asked(everything_up, monkeypatch, settings, error, down):
    settings.QUARRY = replace(settings.QUARRY, broker_url="amqp://user:secret@h")
    broker = Broker(error)
    monkeypatch.setattr("dramatiq.get_broker", lambda: broker)
    monkeypatch.setattr(host, "is_hosted", lambda: False)
    reply = Client().get("/readyz")
    components = reply.json()["components"]
    assert {name for name, one in components.items() if one["status"] == "down"} == down
    assert reply.status_code == (503 if down else 200)
    assert hasattr(broker, "connection") == (not down)  # a broken connection is given up
    assert b"secret" not in reply.content
