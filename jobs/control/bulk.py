"""One action on many jobs: which ones, and the service called for one id after the other.

Each job has its own transaction, so that one refusal does not affect the others, and only ids are loaded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

from jobs.errors import Invalid, QuarryError, job_unknown
from jobs.models import Job
from jobs.postgres.transactions import committed
from jobs.queries import listing, tallies
from jobs.queries.tallies import JobsPreview
from jobs.states import JobStatus

MAX_JOBS_PER_ACTION = 1000


class BulkResult(StrEnum):
    """The result for one job; `listed` in a dry run."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    LISTED = "listed"


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """The result for one job; code and detail say why it was refused."""

    id: UUID
    outcome: BulkResult
    code: str = ""
    detail: str = ""


def jobs_matched(**wanted: Any) -> list[UUID]:
    """Return the ids of the jobs that meet all conditions, oldest first. wanted: as `listing.jobs_matching`.

    Raises: Invalid (code too_many_jobs) for more than MAX_JOBS_PER_ACTION.
    """
    found = list(
        listing.jobs_matching(**wanted)
        .order_by("created_at", "id")
        .values_list("pk", flat=True)[: MAX_JOBS_PER_ACTION + 1]
    )
    if len(found) > MAX_JOBS_PER_ACTION:
        raise Invalid(
            f"The filter matches more than {MAX_JOBS_PER_ACTION:,} jobs, the most that one call may act on; narrow"
            " it, for instance with created_before, and try again.",
            code="too_many_jobs",
        )
    return found


def jobs_each(job_ids: Sequence[UUID], service: Callable[..., Any]) -> list[JobOutcome]:
    """Call the service with each `job_id`; return the result for each. Refusals are outcomes, not errors."""
    return [_outcome(job_id, service) for job_id in job_ids]


def _outcome(job_id: UUID, service: Callable[..., Any]) -> JobOutcome:
    try:
        receipt = committed(partial(service, job_id=job_id))
    except QuarryError as error:
        return JobOutcome(job_id, BulkResult.REFUSED, error.code, error.detail)
    is_changed = getattr(receipt, "changed", True)  # a retry that changes nothing is refused
    return JobOutcome(job_id, BulkResult.CHANGED if is_changed else BulkResult.UNCHANGED)


def jobs_listed(job_ids: Sequence[UUID], *, with_artifacts: bool) -> tuple[list[JobOutcome], JobsPreview]:
    """Return what an action on these jobs would touch; it changes nothing."""
    preview = tallies.jobs_preview(job_ids, with_artifacts=with_artifacts)
    known = {job.id for job in preview.jobs}
    return [_listed(job_id) if job_id in known else _unknown(job_id) for job_id in job_ids], preview


def _listed(job_id: UUID) -> JobOutcome:
    return JobOutcome(job_id, BulkResult.LISTED)


def _unknown(job_id: UUID) -> JobOutcome:
    error = job_unknown(job_id)
    return JobOutcome(job_id, BulkResult.REFUSED, error.code, error.detail)


def statuses_read(job_ids: Sequence[UUID]) -> dict[UUID, JobStatus]:
    """Return the status of each of these jobs that still exists."""
    rows = Job.objects.filter(pk__any=job_ids).order_by().values_list("pk", "status")
    return {job_id: JobStatus(status) for job_id, status in rows}
