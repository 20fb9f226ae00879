"""The outbox: which points are out of date, who is bringing them up to date, and what may be forgotten.

Only the database is touched here; `apply` does the input and output between `changes_claim` and the end of
each change. Triggers write the changes. A change ends in one of five ways, each fenced by its lease:

- finished: removed, if no newer version of it came meanwhile and no late write can arrive any more;
- repeated: applied too early to be sure, so it is applied once more when late writes are past;
- released: not applied, due again soon;
- failed: refused by the store, due again after an exponential back-off;
- turned: its row is gone, so the point has to go as well.

A drainer that finds its lease lost after writing asks for a second look at the point: its write may have
come after the newer one.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from operator import attrgetter
from uuid import UUID, uuid4

from django.db import connection, transaction

from extraction.models import VectorChange
from extraction.states import VectorOperation
from extraction.vectors import outbox_statements as ends
from jobs.postgres.transactions import retried

LEASE_SECONDS = 60.0
#: Longer than any write that was begun under a lease: see `apply.WRITE_TIMEOUTS`.
GRACE_SECONDS = 45.0
MAX_BACKOFF_SECONDS = 3600.0
#: Sorts ids as PostgreSQL does, several times as fast as UUID's own comparison.
BY_VALUE = attrgetter("int")


@dataclass(frozen=True, slots=True)
class Change:
    """A claimed change. `may_be_overtaken`: an earlier write of this point may still reach the store."""

    point_id: UUID
    version: int
    may_be_overtaken: bool


@dataclass(slots=True)
class Batch:
    """Changes held under one lease. `held_until` is on this process's monotonic clock, in seconds.

    open: the changes that have not ended yet. sent: those of them whose write was begun.
    """

    lease: UUID
    lease_seconds: float
    grace_seconds: float
    held_until: float
    open: dict[UUID, Change]
    sent: set[UUID] = field(default_factory=set)

    @property
    def remaining_seconds(self) -> float:
        """Return how long the lease is certainly held: the clock was read before the database's was."""
        return self.held_until - time.monotonic()


@dataclass(frozen=True, slots=True)
class Finished:
    """How many changes were removed, are applied once more, had a newer version, or were lost."""

    removed: int = 0
    repeated: int = 0
    outdated: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class OutboxLag:
    """How far the vector store is behind: changes waiting, and seconds since the oldest was queued."""

    changes: int
    oldest_seconds: float


# A lease that is still there has run out: its holder may be about to write, so what we write is not the last.
_CLAIM = """
    WITH picked AS MATERIALIZED (
        SELECT point_id FROM extraction_vectorchange
        WHERE operation = %s AND (lease IS NULL OR lease_until < clock_timestamp())
          AND (not_before IS NULL OR not_before <= clock_timestamp())
        ORDER BY version LIMIT %s FOR UPDATE SKIP LOCKED)
    UPDATE extraction_vectorchange c
    SET lease = %s, lease_until = clock_timestamp() + make_interval(secs => %s),
        late_write_until = CASE WHEN c.lease IS NULL THEN c.late_write_until
                                ELSE clock_timestamp() + make_interval(secs => %s) END
    WHERE c.point_id = ANY(ARRAY(SELECT point_id FROM picked))
    RETURNING c.point_id, c.version, COALESCE(c.late_write_until > clock_timestamp(), false)
"""


def changes_claim(
    operation: VectorOperation,
    *,
    limit: int,
    lease_seconds: float = LEASE_SECONDS,
    grace_seconds: float = GRACE_SECONDS,
) -> Batch | None:
    """Return up to `limit` due changes of one lane, held under a fresh lease and committed; None if none is due.

    Two claimers never share a change: locked rows are skipped. Must not run inside a transaction, because
    what follows is input and output.
    """
    return retried(partial(_claim, operation, limit, lease_seconds, grace_seconds))


def _claim(operation: VectorOperation, limit: int, lease_seconds: float, grace_seconds: float) -> Batch | None:
    lease, now = uuid4(), time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [operation.value, limit, lease, lease_seconds, grace_seconds])
        changes = {row[0]: Change(*row) for row in cursor.fetchall()}
    if not changes:
        return None
    return Batch(lease, lease_seconds, grace_seconds, now + lease_seconds, changes)


def batch_renew(batch: Batch) -> None:
    """Hold the batch for a full lease from now; changes that were lost meanwhile leave it.

    A lease that ran out but was not claimed since still counts as held: nobody acted on the change meanwhile.
    """
    now = time.monotonic()
    held = retried(partial(ends.renew, batch.lease, sorted(batch.open, key=BY_VALUE), batch.lease_seconds))
    batch.open = {id: change for id, change in batch.open.items() if id in held}
    batch.held_until = now + batch.lease_seconds


def changes_finish(batch: Batch, ids: Iterable[UUID]) -> Finished:
    """End changes whose points are in the store as their rows were read; return what became of them."""
    taken = _taken(batch, ids)
    sure = [change for change in taken if not change.may_be_overtaken]
    unsure = [change for change in taken if change.may_be_overtaken]
    removed = _end(batch, sure, ends.REMOVE)
    repeated = _end(batch, unsure, ends.REPEAT)
    lost = removed.lost + repeated.lost
    points_requeue(lost)
    outdated = removed.newer + repeated.newer
    return Finished(removed.same, repeated.same, outdated, len(lost))


def changes_release(batch: Batch, *, delay_seconds: float, error: str = "") -> None:
    """Give back every change that has not ended; those whose write was begun may still arrive, late."""
    for was_sent in (True, False):
        taken = _taken(batch, [id for id in batch.open if (id in batch.sent) is was_sent])
        late = batch.grace_seconds if was_sent else None
        ended = _end(batch, taken, ends.RELEASE, delay=delay_seconds, error=error[:300], late=late)
        if was_sent:
            points_requeue(ended.lost, late_seconds=batch.grace_seconds)


def changes_fail(batch: Batch, ids: Iterable[UUID], *, error: str) -> int:
    """Put refused changes off, each on its own exponential back-off; return how many still were current."""
    ended = _end(batch, _taken(batch, ids), ends.FAIL, error=error[:300], longest=MAX_BACKOFF_SECONDS)
    return ended.same


def changes_turn(batch: Batch, ids: Iterable[UUID]) -> int:
    """Turn upserts of vanished rows into deletes; return how many.

    Usually a newer delete is queued already and wins. TRUNCATE and disabled triggers leave none.
    """
    return _end(batch, _taken(batch, ids), ends.TURN).same


def points_requeue(ids: Sequence[UUID], *, late_seconds: float | None = None) -> int:
    """Queue these points to be looked at again, whether or not their rows exist; return how many.

    The change is an upsert; the drain finds out whether the row exists. late_seconds: for so long an earlier
    write may still arrive.
    """
    if not ids:
        return 0
    return retried(partial(ends.requeue, sorted(set(ids)), late_seconds))


def changes_left(job_ids: Sequence[UUID]) -> int:
    """Return how many changes of these jobs' rows have not reached the store."""
    return VectorChange.objects.filter(job_id__any=job_ids).count()


def outbox_lag() -> OutboxLag:
    """Return the number of waiting changes and the age of the oldest, 0.0 when nothing waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), COALESCE(max(clock_timestamp() - queued_at), interval '0') FROM extraction_vectorchange"
        )
        changes, oldest = cursor.fetchone()
    return OutboxLag(changes, max(oldest, timedelta()).total_seconds())


def _taken(batch: Batch, ids: Iterable[UUID]) -> list[Change]:
    """Return the changes, taken out of the batch."""
    taken = [batch.open.pop(id) for id in list(ids) if id in batch.open]
    batch.sent.difference_update(change.point_id for change in taken)
    return taken


def _end(batch: Batch, changes: Sequence[Change], how: ends.Ending, **parameters: float | str | None) -> ends.Ended:
    if not changes:
        return ends.Ended()
    versions = {change.point_id: change.version for change in sorted(changes, key=attrgetter("point_id.int"))}
    return ends.end(batch.lease, versions, how, parameters)


def require_no_transaction() -> None:
    """Refuse to go on inside a transaction: nothing may be open while the store or the embedder is asked.

    Raises: TransactionManagementError.
    """
    if connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "vectors are drained and audited outside transactions; call this after the commit"
        )
