"""How fast one host is asked: a pause between requests, a limit on those under way, and slowing down when it is
overloaded."""

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from crawling.errors import AskedToWait

MAX_SLOW_DOWN_SECONDS = 60.0
FIRST_SLOW_DOWN_SECONDS = 0.5
FORGOTTEN_SECONDS = 0.05  # a slow-down below this becomes none
BURST_SECONDS = 1.0  # refusals this close together answer requests already under way, and count as one
MAX_WAIT_SECONDS = 30.0  # how long a turn is waited for when the host asked for a pause; beyond it, in the ledger


class Pace:
    """The pace of one host. All requests to it pass through `turn()`, whichever job they are for."""

    def __init__(self, *, delay_seconds: float, concurrency: int, slow_down_seconds: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self.concurrency = concurrency
        self.slow_down_seconds = slow_down_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._is_next = asyncio.Lock()
        self._blocked_until = 0.0
        self._asked_at = -math.inf
        self._slowed_at = -math.inf

    @property
    def pause_seconds(self) -> float:
        """Seconds between the starts of two requests at present."""
        return self.delay_seconds + self.slow_down_seconds

    @property
    def blocked_seconds(self) -> float:
        """Seconds until the host may be asked again; 0 unless it asked for a pause."""
        return max(0.0, self._blocked_until - time.monotonic())

    @property
    def rest_seconds(self) -> float:
        """Seconds until the pause after the last request is over."""
        return max(0.0, self._asked_at + self.pause_seconds - time.monotonic())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a slot and for the pause to pass, then hold the slot.

        Raises: AskedToWait when the host asked for a pause of more than MAX_WAIT_SECONDS.
        """
        async with self._slots:
            async with self._is_next:  # one waits at a time: the pause counts from when the last request went out
                while (seconds := max(self.rest_seconds, self.blocked_seconds)) > 0:
                    if self.blocked_seconds > MAX_WAIT_SECONDS:
                        raise AskedToWait(self.blocked_seconds)
                    await asyncio.sleep(seconds)  # meanwhile the host may ask for a pause
                self._asked_at = time.monotonic()
            yield

    def succeeded(self) -> None:
        """Reduce the slow-down by a fifth."""
        self.slow_down_seconds *= 0.8
        if self.slow_down_seconds < FORGOTTEN_SECONDS:
            self.slow_down_seconds = 0.0

    def overloaded(self, *, retry_after_seconds: float | None = None) -> float:
        """Slow down after a 429, a 503 or a time-out; return how long this request should wait to be tried again."""
        now = time.monotonic()
        if now - self._slowed_at >= BURST_SECONDS:
            self._slowed_at = now
            doubled = max(FIRST_SLOW_DOWN_SECONDS, self.slow_down_seconds * 2)
            self.slow_down_seconds = min(MAX_SLOW_DOWN_SECONDS, doubled)
        if retry_after_seconds is not None:
            self._blocked_until = max(self._blocked_until, now + retry_after_seconds)
        return max(retry_after_seconds or 0.0, self.slow_down_seconds)
