"""Waiting in a request: what `Prefer` asks for, and how many may wait at once."""

import threading

import pytest
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from jobs.api import waiting
from jobs.api.waiting import MAX_WAIT_SECONDS, Places, preferred_seconds, waited
from jobs.queries import waiting as looking


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("wait=5", 5),
        ("wait=0", 0),
        ("Wait = 7", 7),
        ('wait="9"', 9),
        ("wait=30", 30),
        ("wait=31", MAX_WAIT_SECONDS),
        ("wait=999999999", MAX_WAIT_SECONDS),
        ("respond-async, wait=3", 3),
        ("wait=3; x=1, return=minimal", 3),
        ("wait=3, wait=8", 3),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=²", None),
        ("wait=" + "9" * 5000, None),
        ("waiting=3", None),
    ],
)
def test_what_prefer_asks_for(header, seconds):
    assert preferred_seconds(header) == seconds


@given(st.text())
def test_any_header_is_understood_or_ignored(header):
    seconds = preferred_seconds(header)
    assert seconds is None or 0 <= seconds <= MAX_WAIT_SECONDS


def test_places_are_refused_at_once_and_given_back():
    places = Places(2)
    with places.taken() as first, places.taken() as second, places.taken() as third:
        assert (first, second, third) == (True, True, False)
    with pytest.raises(ZeroDivisionError), places.taken():
        raise ZeroDivisionError
    with places.taken() as first, places.taken() as second:
        assert first and second


def test_many_threads_never_take_more_places_than_there_are():
    places, most, inside = Places(3), 0, 0
    lock, together = threading.Lock(), threading.Barrier(12)

    def take():
        nonlocal most, inside
        together.wait(20)
        for _ in range(200):
            with places.taken() as granted:
                with lock:
                    inside += granted
                    most = max(most, inside)
                with lock:
                    inside -= granted

    threads = [threading.Thread(target=take) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert 1 <= most <= 3
    assert inside == 0


def count_up(number):
    return number + 1


def test_waiting_ends_with_what_was_waited_for():
    assert waited(0, count_up, lambda number: number == 3, seconds=20) == (3, True)


def test_pauses_between_looks_grow_to_a_limit(monkeypatch):
    pauses = []
    monkeypatch.setattr(looking.time, "sleep", pauses.append)
    assert waited(0, count_up, lambda number: number == 20, seconds=3600) == (20, True)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[1] > pauses[0]) == (looking.FIRST_PAUSE_SECONDS, True)
    assert pauses[-1] == pauses[-2] == looking.LONGEST_PAUSE_SECONDS


def test_waiting_ends_with_the_time():
    assert waited(0, lambda seen: seen, lambda seen: False, seconds=0.05) == (0, True)
    assert waited(0, count_up, lambda seen: False, seconds=0) == (0, True)


def test_without_a_place_nobody_looks(monkeypatch):
    monkeypatch.setattr(waiting, "places", Places(0))
    assert waited(0, count_up, lambda number: number == 3, seconds=20) == (0, False)
    assert waited(3, count_up, lambda number: number == 3, seconds=20) == (3, True)  # nothing to wait for


def test_a_database_that_stops_answering_ends_the_waiting():
    def look(seen):
        if seen == 2:
            raise OperationalError("gone")
        return seen + 1

    assert waited(0, look, lambda seen: False, seconds=20) == (2, True)
