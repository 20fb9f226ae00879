"""REST: jobs, their items and history, pausing and resuming. Cancelling is in `crawling.api_cancel`."""

from functools import partial
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router, Status

from jobs import ledger, lifecycle, listing
from jobs.access import XApiKey
from jobs.committing import committed
from jobs.models import Job
from jobs.schemas import (
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
    problems,
)

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
    """Return one job with its payload, its result, and its items counted just now."""
    job = listing.job_read(job_id)
    facts = {field.attname: getattr(job, field.attname) for field in Job._meta.concrete_fields}
    return Status(200, JobDetail.model_validate(facts | ledger.counts(job_id).as_json()))


@router.post("/{job_id}/pause", auth=XApiKey("jobs.cancel_job"), response={200: StatusOut, **problems(404, 409)})
def pause_job(request: HttpRequest, job_id: UUID) -> Status[StatusOut]:
    """Claim nothing more for a job; work in flight finishes. Repeating the call is harmless."""
    actor = request.user.get_username()
    receipt = committed(partial(lifecycle.job_pause, job_id=job_id, actor=actor))
    message = "The job is paused; work in flight finishes." if receipt.changed else "The job was paused already."
    return Status(200, _status_out(receipt, message))


@router.post("/{job_id}/resume", auth=XApiKey("jobs.cancel_job"), response={200: StatusOut, **problems(404, 409)})
def resume_job(request: HttpRequest, job_id: UUID) -> Status[StatusOut]:
    """Let a paused job go on. Repeating the call is harmless."""
    actor = request.user.get_username()
    receipt = committed(partial(lifecycle.job_resume, job_id=job_id, actor=actor))
    message = "The job goes on." if receipt.changed else "The job was not paused."
    return Status(200, _status_out(receipt, message))


@router.get("/{job_id}/items", auth=XApiKey("jobs.view_job"), response={200: ItemPage, **problems(404)})
def list_items(request: HttpRequest, job_id: UUID, filters: Query[ItemFilters]) -> Status[ItemPage]:
    """List the URLs or sources of a job by state and reason; pass `next_after` as `after` for the next page."""
    page = listing.items_page(job_id, **filters.model_dump())
    items = [ItemOut.model_validate(item) for item in page.rows]
    return Status(200, ItemPage(items=items, next_after=page.next_after))


@router.get("/{job_id}/events", auth=XApiKey("jobs.view_job"), response={200: EventPage, **problems(404)})
def list_events(request: HttpRequest, job_id: UUID, filters: Query[EventFilters]) -> Status[EventPage]:
    """List what happened to a job, oldest first: who, when, from which status to which."""
    page = listing.events_page(job_id, **filters.model_dump())
    events = [EventOut.model_validate(event) for event in page.rows]
    return Status(200, EventPage(events=events, next_after=page.next_after))


def _status_out(receipt: lifecycle.StatusReceipt, message: str) -> StatusOut:
    return StatusOut(job_id=receipt.job_id, status=receipt.status, changed=receipt.changed, message=message)
