"""Finding jobs, their items and their history, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import QuerySet

from jobs.errors import Invalid, NotFound, job_unknown
from jobs.models import Job, JobEvent, WorkItem
from jobs.registry import kinds
from jobs.states import ItemState, JobStatus, Reason

EVENTS_PER_PAGE = 500

Row = TypeVar("Row")
Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class OffsetPage(Generic[Row]):
    """Some rows, and how many there are in all."""

    rows: list[Row]
    total: int


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[Row, Key]):
    """Some rows, and the key after which the next page begins: None for the last page."""

    rows: list[Row]
    next_after: Key | None


def jobs_matching(
    *,
    kind: str | None = None,
    status: JobStatus | None = None,
    project_id: UUID | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
) -> QuerySet[Job]:
    """Return the jobs that meet all conditions given, times inclusive. Raises: Invalid for an unknown kind."""
    if kind is not None and kind not in kinds.names():
        raise Invalid(
            f"There are no jobs of type {kind!r}; use one of {', '.join(kinds.names())}.", code="unknown_type"
        )
    wanted = {
        "kind": kind,
        "status": status.value if status else None,
        "project_id": project_id,
        "created_at__gte": created_after,
        "created_at__lte": created_before,
    }
    return Job.objects.filter(**{name: value for name, value in wanted.items() if value is not None})


def jobs_page(*, limit: int, offset: int = 0, **wanted: Any) -> OffsetPage[Job]:
    """Return jobs, newest first. wanted: as `jobs_matching` takes it. Raises: Invalid for an unknown kind."""
    rows = jobs_matching(**wanted)
    found = rows.defer("payload", "result").order_by("-created_at", "-id")[offset : offset + limit]
    return OffsetPage(list(found), rows.count())


def job_read(job_id: UUID, *, kind: str | None = None) -> Job:
    """Return the job, of this kind if one is named. Raises: NotFound."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise job_unknown(job_id)
    if kind is not None and job.kind != kind:
        raise NotFound(f"Job {job_id} is of type {job.kind}, not {kind}; read it at /jobs/{job_id}.")
    return job


def items_page(
    job_id: UUID,
    *,
    state: ItemState | None = None,
    reason: Reason | None = None,
    after: str | None = None,
    limit: int,
) -> KeysetPage[WorkItem, str]:
    """Return items of a job, ordered by key, which the ledger's unique index serves.

    after: the last key of the previous page. Raises: NotFound.
    """
    job_read(job_id)
    rows = WorkItem.objects.filter(job_id=job_id)
    if state is not None:
        rows = rows.filter(state=state.value)
    if reason is not None:
        rows = rows.filter(reason=reason.value)
    if after is not None:
        rows = rows.filter(key__gt=after)
    found = list(rows.order_by("key")[: limit + 1])
    shown = found[:limit]
    return KeysetPage(shown, shown[-1].key if len(found) > limit else None)


def events_page(job_id: UUID, *, after: int | None = None, limit: int) -> KeysetPage[JobEvent, int]:
    """Return the history of a job, oldest first; that of a deleted job too. Raises: NotFound."""
    rows = JobEvent.objects.filter(job_id=job_id)
    found = list(rows.filter(pk__gt=after or 0).order_by("pk")[: limit + 1])
    if not found and not rows.exists():
        job_read(job_id)
    shown = found[:limit]
    return KeysetPage(shown, shown[-1].pk if len(found) > limit else None)


def events_of(job_id: UUID) -> Iterator[JobEvent]:
    """Yield the whole history of a job, oldest first, read page by page. Raises: NotFound."""
    after: int | None = 0
    while after is not None:
        page = events_page(job_id, after=after, limit=EVENTS_PER_PAGE)
        yield from page.rows
        after = page.next_after
