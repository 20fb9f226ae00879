"""Retention: finished jobs older than RETENTION_DAYS are cleaned up. Off when that is 0, the default."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now

from jobs.control import removal
from jobs.errors import Conflict, NotFound
from jobs.models import FINISHED, Job

ACTOR = "retention"
MAX_RETIRED_PER_ROUND = 20  # per round of healing


def jobs_retire() -> int:
    """Request the cleanup of the oldest expired jobs, at most MAX_RETIRED_PER_ROUND; return how many.

    Their rows and histories stay, and so does what younger jobs also use or the project has adopted.
    """
    days: int = settings.QUARRY.retention_days
    if days <= 0:
        return 0
    old = Job.objects.filter(
        status__in=FINISHED,
        completed_at__lt=Now() - timedelta(days=days),
        cleanup_requested_at=None,
        delete_requested_at=None,
    )
    asked = 0
    for job_id in list(old.order_by("completed_at", "pk").values_list("pk", flat=True)[:MAX_RETIRED_PER_ROUND]):
        try:
            reason = f"finished more than {days} days ago"
            asked += removal.job_cleanup(job_id=job_id, actor=ACTOR, reason=reason).changed
        except (Conflict, NotFound):  # retried or deleted since the list was read
            continue
    return asked
