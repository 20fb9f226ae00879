"""The actor of the drain: one a process, with the audits that were asked for, reached by name."""

import threading

import dramatiq
import pytest

from extraction import actors
from extraction.audit import requests
from extraction.audit.chore import AUDIT_SLICE
from extraction.vectors import drain
from extraction.vectors.chore import DRAIN_VECTORS
from extraction.vectors.drain import DrainReceipt
from tests.helpers.factories import PATIENCE_SECONDS


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what the actor asks of the audit, which is not at work here."""
    calls: list[str] = []
    for name in ("request_if_collection_is_new", "requests_serve"):
        monkeypatch.setattr(requests, name, lambda name=name: calls.append(name))
    return calls


def test_a_second_drain_in_a_process_leaves_its_thread_to_others(
    monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    runs: list[str] = []

    def slow() -> DrainReceipt:
        runs.append(threading.current_thread().name)
        begun.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return DrainReceipt()

    monkeypatch.setattr(drain, "drain_vectors", slow)
    first = threading.Thread(target=actors.drain_vectors.fn, name="first")
    first.start()
    assert begun.wait(PATIENCE_SECONDS)
    actors.drain_vectors.fn()  # returns at once: the first goes on until nothing is due
    go_on.set()
    first.join(PATIENCE_SECONDS)
    actors.drain_vectors.fn()
    assert runs == ["first", threading.current_thread().name]


def test_audits_wait_until_the_store_answers(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> None:
    for unavailable, expected in (("the store is down", ["request_if_collection_is_new"]), ("", ["requests_serve"])):
        monkeypatch.setattr(drain, "drain_vectors", lambda why=unavailable: DrainReceipt(unavailable=why))
        asked.clear()
        actors.drain_vectors.fn()
        assert asked[-1:] == expected


def test_messages_by_name_reach_the_actors() -> None:
    for name, actor in ((DRAIN_VECTORS, actors.drain_vectors), (AUDIT_SLICE, actors.audit_slice)):
        assert dramatiq.get_broker().get_actor(name) is actor
