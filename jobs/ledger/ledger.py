"""The ledger: adding, claiming, extending, releasing and counting work items.

The statements are written out in SQL because their plans matter: a claim walks one partial index in rank
order and stays flat however many items are settled. Settling is in `settle.py`, the end of a job in
`end.py`, expired leases in `healing.py`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from jobs.messages import wake
from jobs.models import KEY_MAX_CHARACTERS
from jobs.postgres.text import storable
from jobs.postgres.transactions import LockedJob, job_lock, retried
from jobs.registry.kinds import Claim, NewItem
from jobs.states import GROWING_JOB, ItemState, JobStatus

CHUNK = 1000
LEASE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items of a job are in each state; skips and failures by reason, done by outcome."""

    states: dict[str, int]
    reasons: dict[str, int]
    outcomes: dict[str, int]

    @property
    def total(self) -> int:
        """All items of the job."""
        return sum(self.states.values())

    @property
    def unfinished(self) -> int:
        """Items that are pending or claimed."""
        return self.states.get(ItemState.PENDING.value, 0) + self.states.get(ItemState.CLAIMED.value, 0)

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return the counts as stored in `Job.result`."""
        return {"counts": self.states, "reasons": self.reasons, "outcomes": self.outcomes}


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
    for start in range(0, len(items), CHUNK):
        added += _insert(job.key.id, items[start : start + CHUNK])
    return added


_INSERT = """
    INSERT INTO jobs_workitem (job_id, lane_id, key, state, reason, outcome, rank, attempts, lost_leases,
                               waited_seconds, data)
    SELECT %s, d.lane, d.key, 'pending', '', '', d.rank, 0, 0, 0, d.data::jsonb
    FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[]) AS d(lane, key, rank, data)
    ON CONFLICT (job_id, key) DO NOTHING
    RETURNING lane_id, key
"""

# What is found again on a shorter way and still waits is moved up. Not by ON CONFLICT DO UPDATE: that locks every
# item a page links to, in the order of its links, and meets the heartbeats that lock them in the order of ids.
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


# A job has work in a lane if something there is due. `%%(lost)s` picks items that never lost a lease, or
# only those that did: the latter are claimed alone, so that a page that kills its worker takes no other along.
_DUE = """state = 'pending' AND (not_before IS NULL OR not_before <= clock_timestamp())
          AND (lost_leases > 0) = %(lost)s"""

# A due item is looked up job by job. With EXISTS the planner turns the question into a join that reads every pending
# item of the lane: 42 ms a claim with 100,000 of them, instead of less than one. It is looked up from the far end:
# at the near end of the index lie the entries of all items claimed since the last vacuum.
# A claim's commit need not reach the disk before work begins: if PostgreSQL crashes and forgets it, the item is
# pending again and the lease fences its first worker out. What settles does wait for the disk.
_NEXT_JOB = f"""
    SELECT j.id, j.page_limit, set_config('synchronous_commit', 'off', true) FROM jobs_job j
    WHERE j.status = 'running' AND j.cancel_requested_at IS NULL AND j.id <> ALL(%(without)s)
      AND (SELECT true FROM jobs_workitem w WHERE w.lane_id = %(lane)s AND w.job_id = j.id AND {_DUE}
           ORDER BY w.rank DESC, w.id DESC LIMIT 1)
    ORDER BY j.id <= COALESCE((SELECT cursor_job FROM jobs_lane WHERE id = %(lane)s),
                              '00000000-0000-0000-0000-000000000000'), j.id
    LIMIT 1
"""  # noqa: S608  constants only

# The LIMIT stands in a CTE that locks: PostgreSQL runs such a CTE exactly once, so no more rows are claimed than it
# picked (below an UPDATE's subquery it would not hold). Locking looks at a row's newest version again, so what was
# skipped meanwhile is not picked.
_CLAIM = f"""
    picked AS MATERIALIZED (
        SELECT id FROM jobs_workitem WHERE lane_id = %(lane)s AND job_id = (SELECT id FROM open) AND {_DUE}
        ORDER BY rank, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
    turn AS (
        UPDATE jobs_lane SET cursor_job = open.id FROM open
        WHERE jobs_lane.id = %(lane)s AND cursor_job IS DISTINCT FROM open.id),
    claimed AS (
        UPDATE jobs_workitem w
        SET state = 'claimed', lease = %(lease)s, lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
        WHERE w.id = ANY(ARRAY(SELECT id FROM picked))
        RETURNING w.id, w.key, w.rank, w.attempts, w.waited_seconds, w.data)
"""  # noqa: S608  constants only

# One statement and no transaction around it, because a claim happens for every batch: a round trip instead of four.
# A job with a page limit is only named; how much of it may be claimed is a question under its lock.
_CLAIM_NEXT = f"""
    WITH next AS MATERIALIZED ({_NEXT_JOB}),
    open AS (SELECT id FROM next WHERE page_limit IS NULL), {_CLAIM}
    SELECT next.id, next.page_limit, claimed.* FROM next LEFT JOIN claimed ON true
"""  # noqa: S608  constants only
_CLAIM_OF = f"""
    WITH open AS (SELECT %(job)s::uuid AS id, set_config('synchronous_commit', 'off', true)), {_CLAIM}
    SELECT %(job)s::uuid, NULL, claimed.* FROM claimed
"""  # noqa: S608  constants only


def items_claim(lane_id: int, limit: int, *, lost: bool = False, lease_seconds: float = LEASE_SECONDS) -> list[Claim]:
    """Return up to `limit` items of the lane's next job, stamped with a fresh lease and committed.

    Serves the running jobs of the lane in turn. `lost` claims one of the items whose lease was lost before.
    Two claimers never share an item: locked rows are skipped.
    """
    lease = uuid4()
    exhausted: list[UUID] = []  # jobs at their page limit: the next job gets its turn
    asked: dict[str, Any] = {"lane": lane_id, "limit": 1 if lost else limit, "lost": lost, "without": exhausted}
    asked |= {"lease": lease, "seconds": lease_seconds}
    while rows := retried(partial(_rows, _CLAIM_NEXT, asked), is_one_statement=True):
        job_id, page_limit = rows[0][:2]
        if page_limit is not None:
            rows = retried(partial(_claim_within, page_limit, {**asked, "job": job_id}))
            if not rows:
                exhausted.append(job_id)
                continue
        claims = [_claim(job_id, lease, *row[2:]) for row in rows if row[2] is not None]
        return sorted(claims, key=attrgetter("rank", "id"))
    return []


def _claim_within(page_limit: int, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Claim no more than the job's page limit leaves; its lock keeps other lanes from counting meanwhile."""
    job = job_lock(asked["job"])
    if job is None or job.status is not JobStatus.RUNNING or job.cancel_requested_at is not None:
        return []
    room = min(asked["limit"], page_limit - pages_taken(asked["job"]))
    return _rows(_CLAIM_OF, {**asked, "limit": room}) if room > 0 else []


def _rows(statement: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _claim(
    job_id: UUID, lease: UUID, item: int, key: str, rank: int, attempts: int, waited_seconds: int, data: str
) -> Claim:
    return Claim(item, job_id, key, lease, rank, attempts, waited_seconds, json.loads(data))


def pages_taken(job_id: UUID) -> int:
    """Return how many items count towards the page limit: claimed ones and fetched pages, not redirects."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM jobs_workitem WHERE job_id = %s AND"
            " (state = 'claimed' OR (state = 'done' AND outcome NOT IN ('redirected', 'sitemap')))",
            [job_id],
        )
        return int(cursor.fetchone()[0])


def items_extend(claims: Sequence[Claim], *, lease_seconds: float = LEASE_SECONDS) -> set[int]:
    """Prolong the leases still held; return the ids of those items. The rest are lost to this worker."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH held AS (
                SELECT w.id, w.lease FROM jobs_workitem w
                JOIN unnest(%s::bigint[], %s::uuid[]) AS d(id, lease) ON w.id = d.id AND w.lease = d.lease
                ORDER BY w.id FOR UPDATE OF w)
            UPDATE jobs_workitem w SET lease_until = clock_timestamp() + make_interval(secs => %s)
            FROM held WHERE w.id = held.id AND w.lease = held.lease RETURNING w.id
            """,
            [[claim.id for claim in claims], [claim.lease for claim in claims], lease_seconds],
        )
        return {row[0] for row in cursor.fetchall()}


def items_release(claims: Sequence[Claim]) -> int:
    """Give claims back untouched; return how many were still held. Burns no attempt and counts no lost lease."""
    if not claims:
        return 0
    return retried(partial(_release, claims))


def _release(claims: Sequence[Claim]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH held AS (
                SELECT w.id, w.lease FROM jobs_workitem w
                JOIN unnest(%s::bigint[], %s::uuid[]) AS d(id, lease) ON w.id = d.id AND w.lease = d.lease
                ORDER BY w.id FOR UPDATE OF w)
            UPDATE jobs_workitem w SET state = 'pending', lease = NULL, lease_until = NULL
            FROM held WHERE w.id = held.id AND w.lease = held.lease
            """,
            [[claim.id for claim in claims], [claim.lease for claim in claims]],
        )
        return int(cursor.rowcount)


def counts(job_id: UUID) -> Counts:
    """Return how the job's items stand, by one GROUP BY over the ledger."""
    states: dict[str, int] = {}
    reasons: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT state, reason, outcome, count(*) FROM jobs_workitem WHERE job_id = %s"
            " GROUP BY state, reason, outcome",
            [job_id],
        )
        for state, reason, outcome, number in cursor.fetchall():
            states[state] = states.get(state, 0) + number
            if reason:
                reasons[reason] = reasons.get(reason, 0) + number
            if outcome:
                outcomes[outcome] = outcomes.get(outcome, 0) + number
    return Counts(dict(sorted(states.items())), dict(sorted(reasons.items())), dict(sorted(outcomes.items())))
