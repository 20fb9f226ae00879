"""A job's row: locked before anything of the job is written, moved by one guarded UPDATE, its history recorded."""

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Now

from jobs.errors import job_unknown
from jobs.models import Job, JobEvent
from jobs.postgres.transactions import retried
from jobs.registry.kinds import JobKey, JobRef
from jobs.states import JOB_MOVES, JobStatus

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LockedJob:
    """A job row locked by this transaction, read after the lock was granted."""

    key: JobKey
    status: JobStatus
    page_limit: int | None
    started_at: datetime | None
    cancel_requested_at: datetime | None
    cleanup_requested_at: datetime | None
    cleaned_at: datetime | None
    delete_requested_at: datetime | None


def job_lock(job_id: UUID) -> LockedJob | None:
    """Return the job, its row locked against every other writer until this transaction ends; None if gone.

    The lock lets foreign keys to the job be checked meanwhile (FOR NO KEY UPDATE). It is the first lock of
    every writer: job, then items by id, then what the owners of artifacts lock, each in an order of its own.
    """
    with connection.cursor() as cursor:  # written out: it runs several times for every batch of items
        cursor.execute(_LOCK, [job_id])
        row = cursor.fetchone()
    if row is None:
        return None
    project_id, kind, status, *rest, _ = row
    return LockedJob(JobKey(job_id, project_id, kind), JobStatus(status), *rest)


# What is committed under the lock reaches the disk, even where the server is told not to wait for it: a worker
# remembers which keys its job has, and would never again add one whose commit a crash of PostgreSQL undid.
_LOCK = """
    SELECT project_id, kind, status, page_limit, started_at, cancel_requested_at, cleanup_requested_at, cleaned_at,
           delete_requested_at,
           set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)
    FROM jobs_job WHERE id = %s FOR NO KEY UPDATE
"""


def job_require(job_id: UUID) -> LockedJob:
    """Return the locked job. Raises: NotFound."""
    job = job_lock(job_id)
    if job is None:
        raise job_unknown(job_id)
    return job


def job_status(job_id: UUID) -> JobStatus | None:
    """Return the job's committed status, None if there is no such job."""
    status = Job.objects.filter(pk=job_id).values_list("status", flat=True).first()
    return None if status is None else JobStatus(status)


def job_ref(job_id: UUID) -> JobRef:
    """Return what a worker needs to know of the job. Raises: Job.DoesNotExist."""
    project_id, kind, payload = Job.objects.values_list("project_id", "kind", "payload").get(pk=job_id)
    return JobRef(job_id, project_id, kind, payload)


def job_move(
    job: LockedJob,
    to: JobStatus,
    *,
    action: str,
    actor: str = "",
    reason: str = "",
    counts: dict[str, Any] | None = None,
    **fields: Any,
) -> bool:
    """Move a locked job to `to` with one guarded UPDATE and record it; False if its status has changed.

    Raises: ValueError for a move that `states.py` does not list.
    """
    if to not in JOB_MOVES[job.status]:
        raise ValueError(f"a job never moves from {job.status} to {to}")
    moved = Job.objects.filter(pk=job.key.id, status=job.status.value).update(status=to.value, **fields)
    if moved:
        event_record(
            job.key.id,
            action=action,
            actor=actor,
            reason=reason,
            counts=counts,
            from_status=job.status.value,
            to_status=to.value,
        )
    return bool(moved)


def event_record(job_id: UUID, *, action: str, counts: dict[str, Any] | None = None, **fields: str) -> None:
    """Append one line to the job's history, and once that is committed, to the log as `job_<action>`."""
    JobEvent.objects.create(job_id=job_id, action=action, counts=counts or {}, **fields)
    logged = {"job_id": str(job_id), "counts": counts or {}, **fields}
    transaction.on_commit(partial(log.info, f"job_{action}", extra=logged), robust=True)


def job_start(job_ids: list[UUID]) -> int:
    """Move queued jobs to running; return how many moved."""
    return sum(retried(lambda job_id=job_id: _start(job_id)) for job_id in job_ids)  # type: ignore[misc]


def _start(job_id: UUID) -> int:
    job = job_lock(job_id)
    if job is None or job.status is not JobStatus.QUEUED:
        return 0
    return int(job_move(job, JobStatus.RUNNING, action="start", started_at=Now()))
