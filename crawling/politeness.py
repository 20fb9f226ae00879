"""How fast one host is asked: a pause between requests, a cap on those under way, and slowing down when told."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MAX_SLOW_DOWN_SECONDS = 60.0
FIRST_SLOW_DOWN_SECONDS = 0.5
FORGOTTEN_SECONDS = 0.05  # a slow-down below this is over


class Pace:
    """The pace of one host. All requests to it pass through `turn()`, whichever job they are for."""

    def __init__(self, *, delay_seconds: float, concurrency: int, slow_down_seconds: float = 0.0) -> None:
        self.delay_seconds = delay_seconds
        self.concurrency = concurrency
        self.slow_down_seconds = slow_down_seconds
        self._slots = asyncio.Semaphore(concurrency)
        self._next_at = 0.0
        self._blocked_until = 0.0

    @property
    def pause_seconds(self) -> float:
        """Seconds between the starts of two requests at present."""
        return self.delay_seconds + self.slow_down_seconds

    @property
    def blocked_seconds(self) -> float:
        """Seconds until the host may be asked again; 0 unless it said "later"."""
        return max(0.0, self._blocked_until - time.monotonic())

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a slot and for the pause to pass, then hold the slot."""
        async with self._slots:
            now = time.monotonic()
            start_at = max(now, self._next_at, self._blocked_until)
            self._next_at = start_at + self.pause_seconds
            if start_at > now:
                await asyncio.sleep(start_at - now)
            yield

    def succeeded(self) -> None:
        """Take the slow-down back bit by bit."""
        self.slow_down_seconds *= 0.8
        if self.slow_down_seconds < FORGOTTEN_SECONDS:
            self.slow_down_seconds = 0.0

    def overloaded(self, *, retry_after_seconds: float | None = None) -> float:
        """Slow down after a 429, a 503 or a time-out; return how long this request should wait to be tried again."""
        doubled = max(FIRST_SLOW_DOWN_SECONDS, self.slow_down_seconds * 2)
        self.slow_down_seconds = min(MAX_SLOW_DOWN_SECONDS, doubled)
        if retry_after_seconds is not None:
            self._blocked_until = max(self._blocked_until, time.monotonic() + retry_after_seconds)
        return max(retry_after_seconds or 0.0, self.slow_down_seconds)
