"""Waiting for what other processes do: checking repeatedly, with growing pauses."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.25

Seen = TypeVar("Seen")


def pauses(seconds: float | None = None, *, longest_seconds: float = LONGEST_PAUSE_SECONDS) -> Iterator[float]:
    """Yield how many seconds to sleep before each further check, until `seconds` have passed; None: for ever.

    For code on an event loop, which must sleep there; all other code uses `seen_when_over`.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while deadline is None or deadline > time.monotonic():
        yield pause if deadline is None else min(pause, max(0.0, deadline - time.monotonic()))
        pause = min(longest_seconds, pause * 1.5)


def seen_when_over(
    first: Seen, look: Callable[[Seen], Seen], is_over: Callable[[Seen], bool], *, seconds: float | None = None
) -> Seen:
    """Return the last value seen, once `is_over` holds for it or after `seconds`.

    first: the value to start with; look: returns the current value, given the previous one.
    """
    seen = first
    if is_over(seen):
        return seen
    for pause in pauses(seconds):
        time.sleep(pause)
        seen = look(seen)
        if is_over(seen):
            break
    return seen
