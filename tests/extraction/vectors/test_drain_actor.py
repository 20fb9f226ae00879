"""The actor of the drain: one a process."""

import threading

import pytest

from extraction import actors
from extraction.vectors import drain


def test_a_second_drain_in_a_process_leaves_its_thread_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    runs: list[str] = []

    def slow() -> None:
        runs.append(threading.current_thread().name)
        begun.set()
        assert go_on.wait(30)

    monkeypatch.setattr(drain, "drain_vectors", slow)
    first = threading.Thread(target=actors.drain_vectors.fn, name="first")
    first.start()
    assert begun.wait(30)
    actors.drain_vectors.fn()  # returns at once: the first goes on until nothing is due
    go_on.set()
    first.join(30)
    actors.drain_vectors.fn()
    assert runs == ["first", threading.current_thread().name]
