"""Use cases on whole jobs: submit, cancel, force, pause, resume. Each is one transaction and returns a receipt."""

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from jobs.control.end import items_skip, job_end
from jobs.control.projects import project_require
from jobs.errors import Conflict, Invalid, NotFound
from jobs.ledger import ledger
from jobs.messages import wake
from jobs.models import Job
from jobs.postgres.transactions import LockedJob, event_record, job_lock, job_move, retried
from jobs.registry import kinds
from jobs.registry.kinds import JobRef
from jobs.states import CANCELLABLE_JOB, ItemState, JobStatus


@dataclass(frozen=True, slots=True)
class CancelReceipt:
    """What a cancel did: exact numbers, read in its own transaction."""

    job_id: UUID
    status: JobStatus
    changed: bool
    skipped: int
    pending: int  #: still to be skipped: a very large job is emptied in steps
    in_flight: int
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class StatusReceipt:
    """The status after a pause or resume, and whether this call changed it."""

    job_id: UUID
    status: JobStatus
    changed: bool


def job_submit(
    *,
    kind: str,
    project_id: UUID,
    payload: dict[str, Any],
    label: str = "",
    actor_id: int | None = None,
    actor: str = "",
    page_limit: int | None = None,
    parent_id: UUID | None = None,
) -> UUID:
    """Create a job with its first items in one transaction and wake its lanes; return its id.

    Raises: Invalid when the kind is unknown; NotFound when the project is unknown or inactive.
    """
    if kind not in kinds.names():
        raise Invalid(f"There is no job kind {kind!r}; use one of {', '.join(kinds.names())}.")
    with transaction.atomic():
        project_require(project_id)
        job = Job.objects.create(
            kind=kind,
            project_id=project_id,
            payload=payload,
            label=label[:300],
            created_by_id=actor_id,
            page_limit=page_limit,
            parent_id=parent_id,
        )
        event_record(job.pk, action="submit", actor=actor, to_status=JobStatus.QUEUED.value)
        kinds.get(kind).populate(JobRef(job.pk, project_id, kind, payload))
        if not job.items.exists():
            raise Invalid("The job has nothing to do: no URL or source was given that it could work on.")
    return job.pk


def job_require(job_id: UUID) -> LockedJob:
    """Return the locked job. Raises: NotFound."""
    job = job_lock(job_id)
    if job is None:
        raise NotFound(f"There is no job {job_id}. It may have been deleted; list the jobs to find the right id.")
    return job


def job_cancel(*, job_id: UUID, actor: str = "", reason: str = "", force: bool = False) -> CancelReceipt:
    """Cancel a job: skip what is pending, tell the workers to abort the rest. Repeating it is harmless.

    `force` revokes the leases: the job is cancelled now, and late writers are fenced out. What is pending
    beyond SKIPPED_AT_ONCE items is skipped by healing, so that workers learn of the cancel well within a second.
    Raises: NotFound, Conflict (code already_finished).
    """
    return retried(partial(_cancel, job_id, actor, reason, force))


def _cancel(job_id: UUID, actor: str, reason: str, force: bool) -> CancelReceipt:
    job = job_require(job_id)
    if job.status is JobStatus.CANCELLED:
        return _receipt(job_id, JobStatus.CANCELLED, changed=False)
    if job.status is JobStatus.CANCELLING and not force:
        wake.healing_wake()  # ends it at once if whoever had to is dead
        return _receipt(job_id, JobStatus.CANCELLING, changed=False)
    if job.status is JobStatus.DELETING:
        return _receipt(job_id, JobStatus.DELETING, changed=False)
    if job.status not in CANCELLABLE_JOB | {JobStatus.CANCELLING}:
        raise Conflict(
            f"The job has already finished as {job.status}; there is nothing to cancel."
            " Clean it up or delete it to remove what it made.",
            code="already_finished",
            status=job.status.value,
        )
    if job.status is not JobStatus.CANCELLING:
        Job.objects.filter(pk=job_id).update(
            cancel_requested_at=Now(), cancel_requested_by=actor, cancel_reason=reason[:500]
        )
    skipped = items_skip(job_id, claimed_too=force)
    counted = ledger.counts(job_id)
    status = JobStatus.CANCELLING
    if counted.states.get(ItemState.PENDING.value):  # beyond what one step skips, or given back after it
        wake.healing_wake()
    if not counted.unfinished:
        action = "force" if force else "cancel"
        status = job_end(job, JobStatus.CANCELLED, action=action, actor=actor, reason=reason, counted=counted)
    elif job.status is not JobStatus.CANCELLING:
        job_move(job, status, action="cancel", actor=actor, reason=reason, counts={"skipped": skipped})
    return _receipt(job_id, status, changed=True, skipped=skipped, counted=counted)


def _receipt(
    job_id: UUID, status: JobStatus, *, changed: bool, skipped: int = 0, counted: ledger.Counts | None = None
) -> CancelReceipt:
    states = (counted or ledger.counts(job_id)).states
    return CancelReceipt(
        job_id=job_id,
        status=status,
        changed=changed,
        skipped=skipped,
        pending=states.get(ItemState.PENDING.value, 0),
        in_flight=states.get(ItemState.CLAIMED.value, 0),
        done=states.get(ItemState.DONE.value, 0),
        failed=states.get(ItemState.FAILED.value, 0),
    )


_FINISHED_NEXT = "Retry it to run what failed or was skipped by the cancel, or start a new job."
_NEXT = {
    JobStatus.CANCELLING: "It becomes cancelled in a few seconds; then retry it to go on.",
    JobStatus.CANCELLED: _FINISHED_NEXT,
    JobStatus.COMPLETED: _FINISHED_NEXT,
    JobStatus.FAILED: _FINISHED_NEXT,
    JobStatus.DELETING: "Start a new job.",
}


def job_pause(*, job_id: UUID, actor: str = "", reason: str = "") -> StatusReceipt:
    """Stop claiming for a job; work in flight finishes. Raises: NotFound, Conflict (code not_pausable)."""
    return retried(partial(_pause, job_id, actor, reason))


def _pause(job_id: UUID, actor: str, reason: str) -> StatusReceipt:
    job = job_require(job_id)
    if job.status is JobStatus.PAUSED:
        return StatusReceipt(job_id, JobStatus.PAUSED, changed=False)
    if job.status not in (JobStatus.QUEUED, JobStatus.RUNNING):
        raise Conflict(
            f"Only a queued or running job can be paused; this one is {job.status}. {_NEXT[job.status]}",
            code="not_pausable",
            status=job.status.value,
        )
    job_move(job, JobStatus.PAUSED, action="pause", actor=actor, reason=reason)
    return StatusReceipt(job_id, JobStatus.PAUSED, changed=True)


def job_resume(*, job_id: UUID, actor: str = "", reason: str = "") -> StatusReceipt:
    """Let a paused job go on. Raises: NotFound, Conflict (code not_resumable)."""
    return retried(partial(_resume, job_id, actor, reason))


def _resume(job_id: UUID, actor: str, reason: str) -> StatusReceipt:
    job = job_require(job_id)
    if job.status in (JobStatus.QUEUED, JobStatus.RUNNING):
        return StatusReceipt(job_id, job.status, changed=False)
    if job.status is not JobStatus.PAUSED:
        raise Conflict(
            f"Only a paused job can be resumed; this one is {job.status}. {_NEXT[job.status]}",
            code="not_resumable",
            status=job.status.value,
        )
    to = JobStatus.RUNNING if job.started_at else JobStatus.QUEUED
    job_move(job, to, action="resume", actor=actor, reason=reason)
    wake.job_wake(job_id)
    return StatusReceipt(job_id, to, changed=True)
