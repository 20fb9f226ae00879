"""Adding items to a job: each key once, in the lane it belongs to."""

import json
from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection, transaction

from jobs.ledger.moves import LockedJob, job_lock
from jobs.messages import wake
from jobs.models import KEY_MAX_CHARACTERS
from jobs.postgres.text import storable
from jobs.registry.kinds import NewItem
from jobs.states import GROWING_JOB

ITEMS_PER_INSERT = 1000


def lanes_ensure(keys: Iterable[str]) -> dict[str, int]:
    """Return the id of each lane, creating the missing ones. Keys are sorted so that no two writers deadlock."""
    wanted = sorted(set(keys))
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, id FROM jobs_lane WHERE key = ANY(%s)", [wanted])
        found: dict[str, int] = dict(cursor.fetchall())
        missing = [key for key in wanted if key not in found]
        if missing:
            cursor.execute(
                "INSERT INTO jobs_lane (key) SELECT unnest(%s::text[]) ON CONFLICT (key) DO NOTHING",
                [missing],
            )
            cursor.execute("SELECT key, id FROM jobs_lane WHERE key = ANY(%s)", [missing])
            found.update(cursor.fetchall())
    return found


def items_add(job_id: UUID, items: Sequence[NewItem]) -> int:
    """Add the items not yet known to the job; return how many were new. The caller's transaction locks the job.

    Adds nothing once a cancel was requested: the lock orders this after the cancel, so no item slips in
    behind it.
    """
    job = job_lock(job_id)
    return 0 if job is None else items_grow(job, items)


def items_grow(job: LockedJob, items: Sequence[NewItem]) -> int:
    """As `items_add`, for a job this transaction has locked."""
    if job.status not in GROWING_JOB or job.cancel_requested_at is not None:
        return 0
    added = 0
    for start in range(0, len(items), ITEMS_PER_INSERT):
        added += _insert(job.key.id, items[start : start + ITEMS_PER_INSERT])
    return added


_INSERT = """
    INSERT INTO jobs_workitem (job_id, lane_id, key, state, reason, outcome, rank, attempts, lost_leases,
                               waited_seconds, data)
    SELECT %s, d.lane, d.key, 'pending', '', '', d.rank, 0, 0, 0, d.data::jsonb
    FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[]) AS d(lane, key, rank, data)
    ON CONFLICT (job_id, key) DO NOTHING
    RETURNING lane_id, key
"""

# A pending item that is found again with a lower rank is moved up. Not by ON CONFLICT DO UPDATE: that locks every
# item in the order in which it was found, and deadlocks with the heartbeats, which lock them in the order of ids.
_MOVE_UP = """
    WITH lower AS (
        SELECT w.id, d.rank, d.data
        FROM unnest(%s::text[], %s::int[], %s::text[]) AS d(key, rank, data)
        JOIN jobs_workitem w ON w.job_id = %s AND w.key = d.key
        WHERE w.state = 'pending' AND w.rank > d.rank ORDER BY w.id FOR UPDATE OF w SKIP LOCKED)
    UPDATE jobs_workitem w SET rank = lower.rank, data = lower.data::jsonb FROM lower WHERE w.id = lower.id
"""


def _insert(job_id: UUID, items: Sequence[NewItem]) -> int:
    for item in items:
        if len(item.key) > KEY_MAX_CHARACTERS:
            raise ValueError(f"an item's key is {len(item.key)} characters; at most {KEY_MAX_CHARACTERS} fit")
    lanes = lanes_ensure(item.lane for item in items)
    columns = _columns(items)
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [job_id, [lanes[item.lane] for item in items], *columns])
        inserted = cursor.fetchall()
        new = {key for _, key in inserted}
        known = [item for item in items if item.key not in new]
        if known:
            cursor.execute(_MOVE_UP, [*_columns(known), job_id])
    woken = sorted({lane for lane, _ in inserted})
    transaction.on_commit(lambda: wake.lanes_wake(woken), robust=True)
    return len(inserted)


def _columns(items: Sequence[NewItem]) -> tuple[list[str], list[int], list[str]]:
    """Return keys, ranks and data (JSON), each as one array for PostgreSQL."""
    data = [json.dumps(storable(item.data)) for item in items]
    return [item.key for item in items], [item.rank for item in items], data
