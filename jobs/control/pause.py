"""Pausing and resuming: a job, of which no more items are claimed, or a lane, which no worker serves."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from jobs.errors import Conflict, NotFound
from jobs.ledger.moves import job_move, job_require
from jobs.messages import wake
from jobs.models import Lane
from jobs.postgres.transactions import retried
from jobs.states import JobStatus


@dataclass(frozen=True, slots=True)
class StatusReceipt:
    """The status after a pause or resume, and whether this call changed it."""

    job_id: UUID
    status: JobStatus
    changed: bool


@dataclass(frozen=True, slots=True)
class LaneReceipt:
    """Whether this call paused or resumed the lane; False: it already was."""

    lane_id: int
    changed: bool


_FINISHED_NEXT = "Retry it to run what failed or was skipped by the cancel, or start a new job."
_NEXT = {
    JobStatus.CANCELLING: "It will be cancelled in a few seconds; retry it then to continue.",
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
    """Resume a paused job. Raises: NotFound, Conflict (code not_resumable)."""
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


def lane_pause(*, lane_id: int, actor: str = "", reason: str = "") -> LaneReceipt:
    """Stop serving the lane. A worker that serves it notices within half a second and releases its items.

    Raises: NotFound.
    """
    changed = Lane.objects.filter(pk=lane_id, paused_at__isnull=True).update(
        paused_at=Now(), paused_by=actor, paused_reason=reason[:500]
    )
    return _lane_receipt(lane_id, bool(changed))


def lane_resume(*, lane_id: int, actor: str = "", reason: str = "") -> LaneReceipt:
    """Let the lane be served again, at once. The admin's log records who did it and why. Raises: NotFound."""
    with transaction.atomic():
        changed = Lane.objects.filter(pk=lane_id, paused_at__isnull=False).update(
            paused_at=None, paused_by="", paused_reason=""
        )
        if changed:
            wake.lanes_wake([lane_id], fresh=timedelta(0))
    return _lane_receipt(lane_id, bool(changed))


def _lane_receipt(lane_id: int, changed: bool) -> LaneReceipt:
    if not changed and not Lane.objects.filter(pk=lane_id).exists():
        raise NotFound(f"There is no lane {lane_id}; list the lanes to find the right one.")
    return LaneReceipt(lane_id, changed)
