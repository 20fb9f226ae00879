"""REST: jobs, their items and history; pausing, resuming, retrying, cleaning up and deleting them.

Cancelling is in `cancel`, many jobs at a time in `bulk`.
"""

from functools import partial
from operator import attrgetter
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Header, Query, Router, Status

from jobs.api.access import XApiKey, permission_require
from jobs.api.schemas import (
    EventFilters,
    EventOut,
    EventPage,
    ItemFilters,
    ItemOut,
    ItemPage,
    JobDetail,
    JobFilters,
    JobList,
    JobOut,
    StatusOut,
    WaitHeaders,
    Why,
    problems,
)
from jobs.api.schemas_removal import (
    CleanupIn,
    CleanupOut,
    DeleteHow,
    DeleteOut,
    RetryIn,
    RetryOut,
    cleanup_out,
    delete_out,
)
from jobs.api.waiting import waited_as_preferred
from jobs.control import removal
from jobs.control.pause import StatusReceipt, job_pause, job_resume
from jobs.control.removal import RemovalReceipt
from jobs.control.retry import job_retry
from jobs.ledger.counts import items_count, items_phrase
from jobs.models import Job
from jobs.postgres.transactions import committed
from jobs.queries import listing

REMOVAL_WAIT_SECONDS = 2  # unless the request asks for another time

router = Router(tags=["jobs"])


@router.get("", auth=XApiKey("jobs.view_job"), response={200: JobList, **problems()})
def list_jobs(request: HttpRequest, filters: Query[JobFilters]) -> Status[JobList]:
    """List jobs, newest first."""
    wanted = filters.model_dump()
    page = listing.jobs_page(kind=wanted.pop("type"), **wanted)
    jobs = [JobOut.model_validate(job) for job in page.rows]
    return Status(200, JobList(jobs=jobs, total=page.total, limit=filters.limit, offset=filters.offset))


@router.get("/{job_id}", auth=XApiKey("jobs.view_job"), response={200: JobDetail, **problems(404)})
def get_job(request: HttpRequest, job_id: UUID) -> Status[JobDetail]:
    """Return one job with its payload, its result, and the current counts of its items."""
    job = listing.job_read(job_id)
    facts = {field.attname: getattr(job, field.attname) for field in Job._meta.concrete_fields}
    return Status(200, JobDetail.model_validate(facts | items_count(job_id).as_json()))


@router.post("/{job_id}/pause", auth=XApiKey("jobs.cancel_job"), response={200: StatusOut, **problems(404, 409)})
def pause_job(request: HttpRequest, job_id: UUID, why: Query[Why]) -> Status[StatusOut]:
    """Pause a job: no more items are started; items in flight finish. Repeating the call is harmless."""
    pause = partial(job_pause, reason=why.reason or "")
    receipt = committed(partial(pause, job_id=job_id, actor=request.user.get_username()))
    message = "The job is paused; items in flight finish." if receipt.changed else "The job was already paused."
    return Status(200, _status_out(receipt, message))


@router.post("/{job_id}/resume", auth=XApiKey("jobs.cancel_job"), response={200: StatusOut, **problems(404, 409)})
def resume_job(request: HttpRequest, job_id: UUID, why: Query[Why]) -> Status[StatusOut]:
    """Resume a paused job. Repeating the call is harmless."""
    resume = partial(job_resume, reason=why.reason or "")
    receipt = committed(partial(resume, job_id=job_id, actor=request.user.get_username()))
    message = "The job is resumed." if receipt.changed else "The job was not paused."
    return Status(200, _status_out(receipt, message))


@router.post(
    "/{job_id}/retry",
    auth=XApiKey("jobs.retry_job"),
    response={202: RetryOut, **problems(400, 404, 409, 413)},
)
def retry_job(request: HttpRequest, job_id: UUID, body: RetryIn | None = None) -> Status[RetryOut]:
    """Try the failed items of a finished job again; for a cancelled job, also the items that the cancel skipped."""
    asked = body or RetryIn.model_validate({})
    wanted = partial(job_retry, reasons=asked.reasons or (), hosts=asked.hosts or (), reason=asked.reason or "")
    receipt = committed(partial(wanted, job_id=job_id, actor=request.user.get_username()))
    message = f"The job is queued again, with {items_phrase(receipt.requeued)} to retry."
    return Status(202, RetryOut(job_id=job_id, status=receipt.status, requeued=receipt.requeued, message=message))


@router.post(
    "/{job_id}/cleanup",
    auth=XApiKey("jobs.cleanup_job"),
    response={200: CleanupOut, 202: CleanupOut, **problems(400, 404, 409, 413)},
)
def cleanup_job(
    request: HttpRequest,
    response: HttpResponse,
    job_id: UUID,
    headers: Header[WaitHeaders],
    body: CleanupIn | None = None,
) -> Status[CleanupOut]:
    """Remove what a finished job made, wherever it is stored: 200 when all is gone, 202 while that is under way.

    What other jobs also use is kept. Repeating the call is harmless and shows the progress.
    """
    asked = body or CleanupIn.model_validate({})
    if asked.delete_job:
        permission_require(request, "jobs.delete_job")
    ask = partial(removal.job_cleanup, delete_job=bool(asked.delete_job), reason=asked.reason or "")
    receipt = committed(partial(ask, job_id=job_id, actor=request.user.get_username()))
    receipt = _awaited(receipt, headers, response)
    return Status(200 if receipt.finished else 202, cleanup_out(receipt))


@router.delete(
    "/{job_id}",
    auth=XApiKey("jobs.delete_job"),
    response={200: DeleteOut, 202: DeleteOut, **problems(404, 409)},
)
def delete_job(
    request: HttpRequest,
    response: HttpResponse,
    job_id: UUID,
    how: Query[DeleteHow],
    headers: Header[WaitHeaders],
) -> Status[DeleteOut]:
    """Delete a job: 200 when it is gone, 202 while that is under way. Its history stays readable.

    With cleanup=true, what it made is deleted as well, and an active job is cancelled first; otherwise what it made
    stays in the project.
    """
    if how.cleanup:
        permission_require(request, "jobs.cleanup_job")
    ask = partial(removal.job_delete, cleanup=how.cleanup, reason=how.reason or "")
    receipt = committed(partial(ask, job_id=job_id, actor=request.user.get_username()))
    receipt = _awaited(receipt, headers, response)
    return Status(200 if receipt.finished else 202, delete_out(receipt))


@router.get("/{job_id}/items", auth=XApiKey("jobs.view_job"), response={200: ItemPage, **problems(404)})
def list_items(request: HttpRequest, job_id: UUID, filters: Query[ItemFilters]) -> Status[ItemPage]:
    """List the items of a job by state and reason; pass `next_after` as `after` for the next page."""
    page = listing.items_page(job_id, **filters.model_dump())
    items = [ItemOut.model_validate(item) for item in page.rows]
    return Status(200, ItemPage(items=items, next_after=page.next_after))


@router.get("/{job_id}/events", auth=XApiKey("jobs.view_job"), response={200: EventPage, **problems(404)})
def list_events(request: HttpRequest, job_id: UUID, filters: Query[EventFilters]) -> Status[EventPage]:
    """List what happened to a job, oldest first: who, when, from which status to which."""
    page = listing.events_page(job_id, **filters.model_dump())
    events = [EventOut.model_validate(event) for event in page.rows]
    return Status(200, EventPage(events=events, next_after=page.next_after))


def _status_out(receipt: StatusReceipt, message: str) -> StatusOut:
    return StatusOut(job_id=receipt.job_id, status=receipt.status, changed=receipt.changed, message=message)


def _awaited(receipt: RemovalReceipt, headers: WaitHeaders, response: HttpResponse) -> RemovalReceipt:
    """Return the receipt once the removal is finished, or as it is when the time to wait is over."""
    is_over = attrgetter("finished")
    return waited_as_preferred(
        response, headers.prefer, receipt, removal.receipt_read, is_over, default_seconds=REMOVAL_WAIT_SECONDS
    )
