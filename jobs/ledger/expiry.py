"""Expired leases: what a dead worker held becomes pending again, or fails when it was lost too often."""

from functools import partial
from uuid import UUID

from django.db import connection

from jobs.ledger.moves import event_record, job_lock
from jobs.postgres.transactions import retried

MAX_LOST_LEASES = 3


def leases_expire(*, all_of_them: bool = False) -> tuple[int, int]:
    """Return expired claims to pending; (returned, failed as worker_lost). A third lost lease is the last.

    `all_of_them` treats every lease as expired: right only when no worker can be alive.
    """
    returned = failed = 0
    for job_id in _jobs_with_expired(all_of_them):
        one = retried(partial(_expire_of_job, job_id, all_of_them))
        returned, failed = returned + one[0], failed + one[1]
    if all_of_them:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE jobs_lane SET lease = NULL, lease_until = NULL, woken_at = NULL")
    return returned, failed


_EXPIRED = "state = 'claimed' AND (%(all)s OR lease_until < clock_timestamp())"


def _jobs_with_expired(all_of_them: bool) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT job_id FROM jobs_workitem WHERE {_EXPIRED}", {"all": all_of_them})  # noqa: S608
        return [row[0] for row in cursor.fetchall()]


def _expire_of_job(job_id: UUID, all_of_them: bool) -> tuple[int, int]:
    if job_lock(job_id) is None:
        return 0, 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH expired AS (
                SELECT id, lost_leases + 1 >= %(limit)s AS is_last FROM jobs_workitem
                WHERE job_id = %(job)s AND {_EXPIRED} ORDER BY id FOR UPDATE)
            UPDATE jobs_workitem w
            SET state = CASE WHEN e.is_last THEN 'failed' ELSE 'pending' END,
                reason = CASE WHEN e.is_last THEN 'worker_lost' ELSE '' END,
                finished_at = CASE WHEN e.is_last THEN clock_timestamp() END,
                lost_leases = w.lost_leases + 1, lease = NULL, lease_until = NULL
            FROM expired e WHERE w.id = e.id AND w.state = 'claimed' AND (%(all)s OR w.lease_until < clock_timestamp())
            RETURNING e.is_last
            """,  # noqa: S608  constants only
            {"limit": MAX_LOST_LEASES, "job": job_id, "all": all_of_them},
        )
        ends = [row[0] for row in cursor.fetchall()]
    failed = sum(ends)
    if ends:
        counts = {"returned": len(ends) - failed, "worker_lost": failed}
        event_record(job_id, action="leases_expired", counts=counts)
    return len(ends) - failed, failed
