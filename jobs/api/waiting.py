"""Waiting in a request for what workers do: how long, and how many requests at once.

A request that waits occupies a thread of the web server. Only a limited number may wait, so that some threads are
always free to answer, above all the health check.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import Error
from django.http import HttpResponse

from jobs.queries.waiting import Seen, seen_when_over

log = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 30


class Places:
    """A limited number of places; one is taken or refused at once, without queueing."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Yield whether a place was free; it is taken while the context is open."""
        with self._lock:
            is_free = self._taken < self.number
            self._taken += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self._taken -= is_free


#: Those of this process. `config` sets the number to half of the web server's threads.
places = Places(4)


def preferred_seconds(prefer: str | None) -> int | None:
    """Return how many seconds a `Prefer` header asks to wait, at most MAX_WAIT_SECONDS; None if it does not say.

    RFC 7240: the first `wait` counts, and what cannot be understood is ignored.
    """
    for preference in (prefer or "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            return min(int(digits), MAX_WAIT_SECONDS) if re.fullmatch("[0-9]{1,9}", digits) else None
    return None


def waited_as_preferred(
    response: HttpResponse,
    prefer: str | None,
    first: Seen,
    look: Callable[[Seen], Seen],
    is_over: Callable[[Seen], bool],
    *,
    default_seconds: float = 0,
) -> Seen:
    """Return what `waited` returns for the time that the `Prefer` header asks for, `default_seconds` without one.

    The reply's headers name the preference if it was honoured.
    """
    preferred = preferred_seconds(prefer)
    seen, has_waited = waited(first, look, is_over, seconds=default_seconds if preferred is None else preferred)
    if preferred is not None and has_waited:
        response.headers["Preference-Applied"] = f"wait={preferred}"
    return seen


def waited(
    first: Seen, look: Callable[[Seen], Seen], is_over: Callable[[Seen], bool], *, seconds: float
) -> tuple[Seen, bool]:
    """Return what was seen last, once it is over or after `seconds`, and whether there was a place to wait.

    Without one, `first` is returned at once. So is what was seen last when the database stops answering: what
    the caller asked for is committed, and an error would deny that.
    """
    if is_over(first) or seconds <= 0:
        return first, True
    latest = first

    def look_again(seen: Seen) -> Seen:
        nonlocal latest
        latest = look(seen)
        return latest

    with places.taken() as has_place:
        if not has_place:
            return first, False
        try:
            return seen_when_over(first, look_again, is_over, seconds=seconds), True
        except Error:
            log.warning("waiting_ended_by_database", exc_info=True)
            return latest, True
