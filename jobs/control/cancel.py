"""Cancelling a job, also by force: one transaction that returns exact numbers."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from django.db.models.functions import Now

from jobs.control.end import items_skip, job_end
from jobs.errors import Conflict
from jobs.ledger.counts import Counts, items_count
from jobs.ledger.moves import job_move, job_require
from jobs.messages import wake
from jobs.models import Job
from jobs.postgres.transactions import retried
from jobs.states import CANCELLABLE_JOB, ItemState, JobStatus


@dataclass(frozen=True, slots=True)
class CancelReceipt:
    """What a cancel did: exact numbers, read in its own transaction."""

    job_id: UUID
    status: JobStatus
    changed: bool
    skipped: int
    pending: int  #: still to be skipped: a very large job is cancelled in steps
    in_flight: int
    done: int
    failed: int


def job_cancel(*, job_id: UUID, actor: str = "", reason: str = "", force: bool = False) -> CancelReceipt:
    """Cancel a job: skip what is pending, tell the workers to abort the rest. Repeating the call is harmless.

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
        wake.healing_wake()  # ends it at once if the worker that had to is dead
        return _receipt(job_id, JobStatus.CANCELLING, changed=False)
    if job.status is JobStatus.DELETING:
        return _receipt(job_id, JobStatus.DELETING, changed=False)
    if job.status not in CANCELLABLE_JOB | {JobStatus.CANCELLING}:
        raise Conflict(
            f"The job has already finished with status {job.status}; there is nothing to cancel."
            " Clean it up or delete it to remove what it made.",
            code="already_finished",
            status=job.status.value,
        )
    if job.status is not JobStatus.CANCELLING:
        Job.objects.filter(pk=job_id).update(
            cancel_requested_at=Now(), cancel_requested_by=actor, cancel_reason=reason[:500]
        )
    skipped = items_skip(job_id, claimed_too=force)
    counted = items_count(job_id)
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
    job_id: UUID, status: JobStatus, *, changed: bool, skipped: int = 0, counted: Counts | None = None
) -> CancelReceipt:
    states = (counted or items_count(job_id)).states
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
