"""Claims: items taken, prolonged and given back by workers, fenced by a lease each.

The statements are written out in SQL because their plans matter: a claim walks one partial index in rank
order and stays flat however many items are settled.
"""

import json
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from jobs.ledger.counts import pages_taken
from jobs.ledger.moves import job_lock
from jobs.postgres.transactions import retried
from jobs.registry.kinds import Claim
from jobs.states import JobStatus

LEASE_SECONDS = 30.0


# A job has work in a lane if something there is due. `%%(lost)s` picks items that never lost a lease, or
# only those that did: the latter are claimed alone, so that an item that kills its worker affects no other.
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
    free = min(asked["limit"], page_limit - pages_taken(job.key))
    return _rows(_CLAIM_OF, {**asked, "limit": free}) if free > 0 else []


def _rows(statement: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _claim(
    job_id: UUID, lease: UUID, item: int, key: str, rank: int, attempts: int, waited_seconds: int, data: str
) -> Claim:
    return Claim(item, job_id, key, lease, rank, attempts, waited_seconds, json.loads(data))


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
    """Release claims unworked; return how many were still held. Uses up no attempt and counts no lost lease."""
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
