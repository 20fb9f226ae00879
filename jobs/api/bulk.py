"""REST: one action on many jobs, chosen by their ids or by a filter."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest
from ninja import Router, Status

from jobs.api.access import XApiKey, permission_require
from jobs.api.schemas import problems
from jobs.api.schemas_bulk import (
    BulkCancelIn,
    BulkCleanupIn,
    BulkCounts,
    BulkDeleteIn,
    BulkIn,
    BulkJobOut,
    BulkOut,
    BulkRetryIn,
)
from jobs.control import bulk, removal, retry
from jobs.control.bulk import BulkResult, JobOutcome
from jobs.control.cancel import job_cancel
from jobs.control.pause import job_pause, job_resume
from jobs.queries.tallies import JobsPreview

router = Router(tags=["jobs"])

Action = Literal["cancel", "cleanup", "delete", "retry", "pause", "resume"]

_RESPONSE: dict[int, Any] = {200: BulkOut, **problems(400, 413)}
_NOTHING = JobsPreview([], {}, {})


@router.post("/bulk/cancel", auth=XApiKey("jobs.cancel_job"), response=_RESPONSE)
def cancel_jobs(request: HttpRequest, body: BulkCancelIn) -> Status[BulkOut]:
    """Cancel jobs."""
    return _bulk(request, "cancel", body, partial(job_cancel, force=bool(body.force)))


@router.post("/bulk/pause", auth=XApiKey("jobs.cancel_job"), response=_RESPONSE)
def pause_jobs(request: HttpRequest, body: BulkIn) -> Status[BulkOut]:
    """Pause jobs: no more items are started; items in flight finish."""
    return _bulk(request, "pause", body, job_pause)


@router.post("/bulk/resume", auth=XApiKey("jobs.cancel_job"), response=_RESPONSE)
def resume_jobs(request: HttpRequest, body: BulkIn) -> Status[BulkOut]:
    """Resume paused jobs."""
    return _bulk(request, "resume", body, job_resume)


@router.post("/bulk/retry", auth=XApiKey("jobs.retry_job"), response=_RESPONSE)
def retry_jobs(request: HttpRequest, body: BulkRetryIn) -> Status[BulkOut]:
    """Try the failed items of finished jobs again; for cancelled jobs, also the items that the cancel skipped."""
    service = partial(retry.job_retry, reasons=body.reasons or (), hosts=body.hosts or ())
    return _bulk(request, "retry", body, service)


@router.post("/bulk/cleanup", auth=XApiKey("jobs.cleanup_job"), response=_RESPONSE)
def cleanup_jobs(request: HttpRequest, body: BulkCleanupIn) -> Status[BulkOut]:
    """Request the removal of what finished jobs made; it continues after the reply."""
    if body.delete_job:
        permission_require(request, "jobs.delete_job")
    service = partial(removal.job_cleanup, delete_job=bool(body.delete_job))
    return _bulk(request, "cleanup", body, service)


@router.post("/bulk/delete", auth=XApiKey("jobs.delete_job"), response=_RESPONSE)
def delete_jobs(request: HttpRequest, body: BulkDeleteIn) -> Status[BulkOut]:
    """Request the deletion of jobs; it continues after the reply."""
    if body.cleanup:
        permission_require(request, "jobs.cleanup_job")
    service = partial(removal.job_delete, cleanup=bool(body.cleanup))
    return _bulk(request, "delete", body, service)


def _bulk(request: HttpRequest, action: Action, body: BulkIn, service: Callable[..., Any]) -> Status[BulkOut]:
    """Act on each job, or in a dry run show what would be acted on."""
    job_ids = _chosen(body)
    preview = _NOTHING
    if body.dry_run:
        outcomes, preview = bulk.jobs_listed(job_ids, with_artifacts=action in ("cleanup", "delete"))
    else:
        actor = request.user.get_username()
        outcomes = bulk.jobs_each(job_ids, partial(service, actor=actor, reason=body.reason or ""))
    out = BulkOut(
        action=action,
        dry_run=bool(body.dry_run),
        counts=_counts(outcomes),
        jobs=_jobs(outcomes, preview),
        items=preview.items,
        artifacts=preview.artifacts,
        warnings=body.ineffective() + [preview.unavailable] * bool(preview.unavailable),
    )
    return Status(200, out)


def _chosen(body: BulkIn) -> list[UUID]:
    """Return the ids in the request, each once, or those that match its filter. Raises: Invalid."""
    if body.filter is None:
        return list(dict.fromkeys(body.job_ids or ()))
    wanted = body.filter.model_dump()
    return bulk.jobs_matched(kind=wanted.pop("type"), **wanted)


def _counts(outcomes: list[JobOutcome]) -> BulkCounts:
    found = Counter(one.outcome for one in outcomes)
    return BulkCounts(
        matched=len(outcomes),
        changed=found[BulkResult.CHANGED],
        unchanged=found[BulkResult.UNCHANGED],
        refused=found[BulkResult.REFUSED],
    )


def _jobs(outcomes: list[JobOutcome], preview: JobsPreview) -> list[BulkJobOut]:
    statuses = bulk.statuses_read([one.id for one in outcomes])
    items = {job.id: job.items for job in preview.jobs}
    return [
        BulkJobOut(
            id=one.id,
            outcome=one.outcome,
            status=statuses.get(one.id),
            code=one.code,
            detail=one.detail,
            items=items.get(one.id, {}),
        )
        for one in outcomes
    ]
