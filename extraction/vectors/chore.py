"""Keeping vectors up to date, as background work: who wakes the drain, and when nothing is left to do."""

import threading
import time

from django.db import connection, transaction

from jobs.messages.send import actor_send
from jobs.registry.chores import Chore

DRAIN_VECTORS = "drain_vectors"  #: the actor's name

_WAKE_EVERY_SECONDS = 0.5

_guard = threading.Lock()
_last_wake = {"at": 0.0}


class VectorChore(Chore):
    """See `jobs.registry.chores.Chore`."""

    name = "vectors"

    def wake_if_due(self) -> int:
        """Send a drain if a change is due that no drainer holds."""
        if not _exists(
            "(lease IS NULL OR lease_until < clock_timestamp())"
            " AND (not_before IS NULL OR not_before <= clock_timestamp())"
        ):
            return 0
        _drain_send()
        return 1

    def is_idle(self) -> bool:
        """Return whether no change is left but those the store has refused, which wait for their next try."""
        return not _exists("attempts = 0")


def drain_wake() -> None:
    """Send a drain after this transaction commits, at most twice a second; healing sends what this leaves out."""
    with _guard:
        now = time.monotonic()
        if now - _last_wake["at"] < _WAKE_EVERY_SECONDS:
            return
        _last_wake["at"] = now
    transaction.on_commit(_drain_send, robust=True)  # a partial has no name to log


def _drain_send() -> None:
    actor_send(DRAIN_VECTORS)


def _exists(condition: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT 1 FROM extraction_vectorchange WHERE {condition})")  # noqa: S608
        return bool(cursor.fetchone()[0])
