"""Transactions that are tried again when PostgreSQL asks for it, and the lock every writer takes first."""

import logging
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from jobs.models import Job, JobEvent
from jobs.registry.kinds import JobKey
from jobs.states import JOB_MOVES, JobStatus

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRIED_SQLSTATES = frozenset({"40P01", "40001"})  # deadlock detected, serialisation failure
TRIES = 6


def retried(work: Callable[[], Result], *, is_one_statement: bool = False) -> Result:
    """Return `work()` run in its own transaction, tried again after a deadlock or serialisation failure.

    Inside an outer transaction nothing can be tried again: the work runs once, as part of it.
    is_one_statement: it is a transaction by itself, and BEGIN and COMMIT are two round trips less.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with nullcontext() if is_one_statement else transaction.atomic():
                return work()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state not in RETRIED_SQLSTATES or attempt == TRIES or transaction.get_connection().in_atomic_block:
                raise
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311  spreads the contenders
    raise AssertionError("unreachable: the loop returns or raises")


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
    every writer: job, then items by id, then sources by key, then vector changes by point id.
    """
    with connection.cursor() as cursor:  # written out: it runs several times for every batch of items
        cursor.execute(_LOCK, [job_id])
        row = cursor.fetchone()
    if row is None:
        return None
    project_id, kind, status, *rest, _ = row
    return LockedJob(JobKey(job_id, project_id, kind), JobStatus(status), *rest)


# What is committed under the lock reaches the disk, also where the server is told not to wait for it: a worker
# remembers which URLs its job has, and would never add one again whose commit a crash of PostgreSQL took back.
_LOCK = """
    SELECT project_id, kind, status, page_limit, started_at, cancel_requested_at, cleanup_requested_at, cleaned_at,
           delete_requested_at,
           set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)
    FROM jobs_job WHERE id = %s FOR NO KEY UPDATE
"""


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
    """Move a locked job to `to` with one guarded UPDATE and record it; False if it no longer stands there.

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
    told = {"job_id": str(job_id), "counts": counts or {}, **fields}
    transaction.on_commit(partial(log.info, f"job_{action}", extra=told), robust=True)


def job_start(job_ids: list[UUID]) -> int:
    """Move queued jobs to running; return how many moved."""
    return sum(retried(lambda job_id=job_id: _start(job_id)) for job_id in job_ids)  # type: ignore[misc]


def _start(job_id: UUID) -> int:
    job = job_lock(job_id)
    if job is None or job.status is not JobStatus.QUEUED:
        return 0
    return int(job_move(job, JobStatus.RUNNING, action="start", started_at=Now()))
