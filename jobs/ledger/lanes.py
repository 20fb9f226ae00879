"""Leases of lanes: one slice at a time serves a lane, across all workers."""

from uuid import UUID, uuid4

from django.db import connection

from jobs.models import Job
from jobs.states import ItemState, JobStatus

LANE_LEASE_SECONDS = 30.0


def lane_take(lane_id: int) -> tuple[str, UUID] | None:
    """Return the lane's key and a fresh lease, or None if it is served by another slice, paused or gone."""
    lease = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE jobs_lane SET lease = %s, woken_at = NULL,
                                 lease_until = clock_timestamp() + make_interval(secs => %s)
            WHERE id = %s AND paused_at IS NULL AND (lease_until IS NULL OR lease_until < clock_timestamp())
            RETURNING key
            """,
            [lease, LANE_LEASE_SECONDS, lane_id],
        )
        row = cursor.fetchone()
    return (row[0], lease) if row else None


def lane_extend(lane_id: int, lease: UUID) -> bool:
    """Prolong the lease; False if it was lost or the lane was paused: the slice must end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_lane SET lease_until = clock_timestamp() + make_interval(secs => %s)"
            " WHERE id = %s AND lease = %s AND paused_at IS NULL",
            [LANE_LEASE_SECONDS, lane_id, lease],
        )
        return bool(cursor.rowcount)


def lane_is_ours(lane_id: int, lease: UUID) -> bool:
    """Return whether the lease is still held and the lane is not paused."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM jobs_lane WHERE id = %s AND lease = %s AND paused_at IS NULL)",
            [lane_id, lease],
        )
        return bool(cursor.fetchone()[0])


def lane_release(lane_id: int, lease: UUID) -> None:
    """Give the lane back, if it is still held."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs_lane SET lease = NULL, lease_until = NULL WHERE id = %s AND lease = %s",
            [lane_id, lease],
        )


def lane_queued_jobs(lane_id: int) -> list[UUID]:
    """Return the queued jobs with work in the lane, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT j.id FROM jobs_job j WHERE j.status = 'queued' AND j.cancel_requested_at IS NULL
              AND EXISTS (SELECT 1 FROM jobs_workitem w
                          WHERE w.job_id = j.id AND w.lane_id = %s AND w.state = 'pending')
            ORDER BY j.created_at
            """,
            [lane_id],
        )
        return [row[0] for row in cursor.fetchall()]


def lane_due_in_seconds(lane_id: int) -> float | None:
    """Return in how many seconds the lane's next item is due (0 or less: now), None if it has no work."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT EXTRACT(EPOCH FROM min(next.due) - clock_timestamp())
            FROM jobs_job j CROSS JOIN LATERAL (
                SELECT min(COALESCE(w.not_before, to_timestamp(0))) AS due FROM jobs_workitem w
                WHERE w.job_id = j.id AND w.lane_id = %s AND w.state = 'pending') AS next
            WHERE j.status IN ('queued', 'running') AND j.cancel_requested_at IS NULL
            """,
            [lane_id],
        )
        due = cursor.fetchone()[0]
    return None if due is None else float(due)


def jobs_stopping(job_ids: list[UUID]) -> list[UUID]:
    """Return those of the jobs whose work must be aborted: cancelled, ended, deleting or gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT d.id FROM unnest(%s::uuid[]) AS d(id) LEFT JOIN jobs_job j ON j.id = d.id
            WHERE j.id IS NULL OR j.cancel_requested_at IS NOT NULL OR j.status NOT IN ('running', 'paused')
            """,
            [job_ids],
        )
        return [row[0] for row in cursor.fetchall()]


def lane_running_jobs(lane_id: int) -> list[UUID]:
    """Return the running jobs with pending items in the lane."""
    jobs = Job.objects.filter(
        status=JobStatus.RUNNING.value, items__lane_id=lane_id, items__state=ItemState.PENDING.value
    )
    return list(jobs.order_by().values_list("pk", flat=True).distinct())
