"""The healing clock of worker processes that a message broker feeds: every worker heals every few seconds.

One healer works at a time whatever the number of clocks. In the embedded profile `jobs.worker.host` has its own.
"""

import threading

from dramatiq import Broker, Middleware, Worker

from jobs.messages.channel import HEAL_SECONDS
from jobs.messages.names import HEAL
from jobs.messages.send import actor_send


class HealingClock(Middleware):
    """Sends `heal` for as long as the worker of this process runs."""

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start the clock."""
        self._stopping.clear()
        threading.Thread(target=self._tick, name="healing-clock", daemon=True).start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        """Stop the clock."""
        self._stopping.set()

    def _tick(self) -> None:
        pause_seconds = 0.0
        while not self._stopping.wait(pause_seconds):
            actor_send(HEAL)
            pause_seconds = HEAL_SECONDS
