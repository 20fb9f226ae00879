"""Numbers about all jobs, for monitoring: few statements, which finished jobs do not slow down."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import Count

from jobs.models import Job
from jobs.states import ItemState, JobStatus

STUCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Gauges:
    """Numbers read just now.

    jobs: all jobs by status. items: those of unfinished jobs by state. Both have every key.
    oldest_lease_seconds: how long ago the first of the items' expired leases expired; 0 if none has.
    stuck_jobs: jobs that should have moved on by themselves, and removals that ran into a problem.
    """

    jobs: dict[str, int]
    items: dict[str, int]
    oldest_lease_seconds: float
    stuck_jobs: int


def gauges_read() -> Gauges:
    """Return the numbers."""
    jobs = dict.fromkeys(JobStatus, 0) | dict(Job.objects.order_by().values_list("status").annotate(number=Count("*")))
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS)
        items = dict.fromkeys(ItemState, 0) | dict(cursor.fetchall())
        cursor.execute(_OLDEST_LEASE)
        oldest_lease_seconds = float(cursor.fetchone()[0])
        cursor.execute(_STUCK, {"seconds": STUCK_SECONDS})
        stuck_jobs = int(cursor.fetchone()[0])
    return Gauges(
        {str(status): number for status, number in jobs.items()},
        {str(state): number for state, number in items.items()},
        oldest_lease_seconds,
        stuck_jobs,
    )


_ITEMS = """
    SELECT w.state, count(*) FROM jobs_job j JOIN jobs_workitem w ON w.job_id = j.id
    WHERE j.status IN ('queued', 'running', 'paused', 'cancelling') GROUP BY w.state
"""

_OLDEST_LEASE = """
    SELECT COALESCE(EXTRACT(EPOCH FROM GREATEST(clock_timestamp() - min(lease_until), interval '0')), 0)
    FROM jobs_workitem WHERE state = 'claimed'
"""

# The last finished item of a job with nothing in flight shows how long it has been stuck; few jobs get this far.
_STUCK = """
    SELECT count(*) FROM jobs_job j
    WHERE (j.status = 'cancelling'
           AND j.cancel_requested_at < clock_timestamp() - make_interval(secs => %(seconds)s)
           AND NOT EXISTS (SELECT 1 FROM jobs_workitem WHERE job_id = j.id AND state = 'claimed')
           AND NOT EXISTS (SELECT 1 FROM jobs_workitem WHERE job_id = j.id AND finished_at IS NOT NULL
                           AND finished_at >= clock_timestamp() - make_interval(secs => %(seconds)s)))
       OR (j.status = 'running'
           AND j.started_at < clock_timestamp() - make_interval(secs => %(seconds)s)
           AND NOT EXISTS (SELECT 1 FROM jobs_workitem WHERE job_id = j.id AND state = 'pending')
           AND NOT EXISTS (SELECT 1 FROM jobs_workitem WHERE job_id = j.id AND state = 'claimed')
           AND NOT EXISTS (SELECT 1 FROM jobs_workitem WHERE job_id = j.id AND finished_at IS NOT NULL
                           AND finished_at >= clock_timestamp() - make_interval(secs => %(seconds)s)))
       OR (j.status IN ('cancelled', 'completed', 'failed', 'deleting') AND j.removal_error <> ''
           AND (j.delete_requested_at IS NOT NULL
                OR (j.cleanup_requested_at IS NOT NULL AND j.cleaned_at IS NULL)))
"""
