"""Cleanup and delete: what is asked for, and the receipts. `removal_work.py` does the work, as an actor.

Cleanup deletes what a finished job made; delete also removes the job itself. Both are recorded on the job row: when
a removal is interrupted, the row remains, healing sends the actor again, and repeating finishes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from jobs.control.cancel import job_cancel
from jobs.control.refusals import refuse_active
from jobs.errors import Conflict
from jobs.ledger.moves import LockedJob, event_record, job_move, job_require
from jobs.messages import wake
from jobs.models import Job, JobEvent
from jobs.postgres.transactions import retried
from jobs.registry.owners import nothing_removed
from jobs.states import ACTIVE_JOB, FINISHED_JOB, JobStatus


@dataclass(frozen=True, slots=True)
class RemovalReceipt:
    """The progress of a cleanup or delete.

    removal: per kind of artifact `found`, `deleted`, `kept_shared`. finished: nothing is left to do.
    """

    job_id: UUID
    changed: bool
    finished: bool
    job_deleted: bool
    cleanup_requested: bool
    removal: dict[str, dict[str, int]] = field(default_factory=dict)
    error: str = ""  #: why it is not finished yet, if something went wrong; it is tried again

    def deleted(self, kind: str) -> int:
        """Return how many artifacts of the kind were deleted so far."""
        return self.removal.get(kind, {}).get("deleted", 0)


def job_cleanup(*, job_id: UUID, delete_job: bool = False, actor: str = "", reason: str = "") -> RemovalReceipt:
    """Request the removal of what a finished job made; joins a cleanup under way. Repeating the call is harmless.

    Raises: NotFound, Conflict (codes job_active, job_deleting).
    """
    if delete_job:
        return job_delete(job_id=job_id, cleanup=True, must_be_finished=True, actor=actor, reason=reason)
    return retried(partial(_cleanup, job_id, actor, reason))


def _cleanup(job_id: UUID, actor: str, reason: str) -> RemovalReceipt:
    job = job_require(job_id)
    refuse_active(job, "cleaned up")
    if job.status is JobStatus.DELETING:
        raise Conflict(
            "The job is being deleted, and cleaned up if that was requested; there is nothing more to do.",
            code="job_deleting",
            status=job.status.value,
        )
    changed = job.cleanup_requested_at is None
    if changed:
        Job.objects.filter(pk=job_id).update(cleanup_requested_at=Now(), removal=nothing_removed())
        _record(job, "cleanup", actor, reason)
    if job.cleaned_at is None:
        wake.removal_wake(job_id)
    else:  # what the cleanup found is in the history; a repetition finds nothing
        return RemovalReceipt(job_id, False, True, False, True, nothing_removed())
    return _receipt(job_id, changed=changed)


def job_delete(
    *,
    job_id: UUID,
    cleanup: bool = False,
    must_be_finished: bool = False,
    actor: str = "",
    reason: str = "",
) -> RemovalReceipt:
    """Request the removal of a job, with what it made (`cleanup`) or leaving that to the project.

    An active job is cancelled first if `cleanup` is requested. Raises: NotFound, Conflict (code job_active).
    """
    return retried(partial(_delete, job_id, cleanup, must_be_finished, actor, reason))


def _delete(job_id: UUID, cleanup: bool, must_be_finished: bool, actor: str, reason: str) -> RemovalReceipt:
    job = job_require(job_id)
    if job.status is JobStatus.DELETING:
        wake.removal_wake(job_id)
        return _receipt(job_id, changed=False)
    if must_be_finished or not cleanup:
        refuse_active(job, "deleted", hint=" Or delete it with cleanup=true, which cancels it first.")
    changed = job.delete_requested_at is None
    if changed:
        wanted: dict[str, Any] = {"delete_requested_at": Now(), "delete_requested_by": actor}
        if cleanup and job.cleanup_requested_at is None:
            wanted |= {"cleanup_requested_at": Now(), "removal": nothing_removed()}
        Job.objects.filter(pk=job_id).update(**wanted)
        _record(job, "delete", actor, reason)
    if job.status in ACTIVE_JOB:
        job_cancel(job_id=job_id, actor=actor, reason=reason or "delete")
        job = job_require(job_id)
    if job.status in FINISHED_JOB:
        job_move(job, JobStatus.DELETING, action="deleting", actor=actor, reason=reason)
        wake.removal_wake(job_id)
    return _receipt(job_id, changed=changed)


def receipt_read(before: RemovalReceipt) -> RemovalReceipt:
    """Return the current state of the removal in `before`; if the job is gone, the removal has finished."""
    now = _read(before.job_id, changed=before.changed)
    if now is None:
        return RemovalReceipt(
            before.job_id, before.changed, True, True, before.cleanup_requested, _last_removal(before)
        )
    return now


def removals_unfinished(job_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the jobs whose removal is still under way: id → its last error, empty if there was none."""
    is_asked = Q(delete_requested_at__isnull=False) | Q(cleanup_requested_at__isnull=False, cleaned_at__isnull=True)
    return dict(Job.objects.filter(is_asked, pk__any=job_ids).order_by().values_list("pk", "removal_error"))


def _last_removal(before: RemovalReceipt) -> dict[str, dict[str, int]]:
    counts = (
        JobEvent.objects.filter(job_id=before.job_id, action="deleted").order_by("-id").values_list("counts", flat=True)
    ).first()
    return nothing_removed() | (counts or before.removal)


_COLUMNS = ("cleanup_requested_at", "cleaned_at", "delete_requested_at", "removal", "removal_error")


def _receipt(job_id: UUID, *, changed: bool) -> RemovalReceipt:
    receipt = _read(job_id, changed=changed)
    if receipt is None:
        raise AssertionError(f"job {job_id} is locked by this transaction, yet it is gone")
    return receipt


def _read(job_id: UUID, *, changed: bool) -> RemovalReceipt | None:
    """Return how far the removal has come, read by one statement; None once the job's row is gone."""
    job = Job.objects.filter(pk=job_id).values(*_COLUMNS).order_by().first()
    if job is None:
        return None
    return RemovalReceipt(
        job_id=job_id,
        changed=changed,
        finished=job["cleaned_at"] is not None and job["delete_requested_at"] is None,
        job_deleted=False,
        cleanup_requested=job["cleanup_requested_at"] is not None,
        removal=nothing_removed() | job["removal"],  # jsonb keeps no order of keys
        error=job["removal_error"],
    )


def _record(job: LockedJob, action: str, actor: str, reason: str) -> None:
    status = job.status.value
    event_record(job.key.id, action=action, actor=actor, reason=reason, from_status=status, to_status=status)
