"""Retry: what failed, or was skipped by a cancel, becomes pending again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from jobs.control.refusals import refuse_active
from jobs.errors import Conflict, Invalid
from jobs.ledger.moves import LockedJob, job_move, job_require
from jobs.messages import wake
from jobs.models import Lane, WorkItem
from jobs.postgres.transactions import retried
from jobs.registry.kinds import HOST_LANE
from jobs.states import ItemState, JobStatus, Reason

_FRESH_ITEM: dict[str, Any] = {
    "state": ItemState.PENDING.value,
    "reason": "",
    "attempts": 0,
    "lost_leases": 0,
    "waited_seconds": 0,
    "not_before": None,
    "finished_at": None,
}
_FRESH_JOB: dict[str, Any] = {
    "started_at": None,
    "completed_at": None,
    "result": None,
    "error": "",
    "cancel_requested_at": None,
    "cancel_requested_by": "",
    "cancel_reason": "",
}


@dataclass(frozen=True, slots=True)
class RetryReceipt:
    """How many items will be tried again."""

    job_id: UUID
    status: JobStatus
    requeued: int


def job_retry(
    *, job_id: UUID, reasons: Sequence[str] = (), hosts: Sequence[str] = (), actor: str = "", reason: str = ""
) -> RetryReceipt:
    """Make the failed items of a finished job pending again; of a cancelled job also those that the cancel skipped.

    reasons, hosts: only such items. Clears the cancel request, the result and the attempts.
    Raises: NotFound, Invalid, Conflict (job_active, job_deleting, cleanup_running, no_artifacts, nothing_to_retry).
    """
    unknown = sorted(set(reasons) - {known.value for known in Reason})
    if unknown:
        raise Invalid(f"Unknown reason: {', '.join(unknown)}. Use some of: {', '.join(Reason)}.", code="unknown_reason")
    return retried(partial(_retry, job_id, tuple(reasons), tuple(hosts), actor, reason))


def _retry(job_id: UUID, reasons: tuple[str, ...], hosts: tuple[str, ...], actor: str, reason: str) -> RetryReceipt:
    job = job_require(job_id)
    _refuse(job)
    requeued = _items(job, reasons, hosts).update(**_FRESH_ITEM)
    if not requeued:
        raise Conflict(
            "No item of this job can be tried again: none failed"
            f"{' for these reasons or hosts' if reasons or hosts else ''}. Start a new job to do everything again.",
            code="nothing_to_retry",
            status=job.status.value,
        )
    job_move(
        job,
        JobStatus.QUEUED,
        action="retry",
        actor=actor,
        reason=reason,
        counts={"requeued": requeued},
        **_FRESH_JOB,
    )
    wake.job_wake(job_id)
    return RetryReceipt(job_id, JobStatus.QUEUED, requeued)


def _items(job: LockedJob, reasons: tuple[str, ...], hosts: tuple[str, ...]) -> QuerySet[WorkItem]:
    wanted = Q(state=ItemState.FAILED.value)
    if job.status is JobStatus.CANCELLED:
        wanted |= Q(state=ItemState.SKIPPED.value, reason=Reason.CANCELLED.value)
    items = WorkItem.objects.filter(wanted, job_id=job.key.id)
    if reasons:
        items = items.filter(reason__in=reasons)
    if hosts:
        lanes = Lane.objects.filter(key__in=[HOST_LANE + host for host in hosts]).values_list("pk", flat=True)
        items = items.filter(lane_id__any=list(lanes))
    return items


def _refuse(job: LockedJob) -> None:
    refuse_active(job, "retried")
    status = job.status.value
    if job.status is JobStatus.DELETING:
        raise Conflict("The job is being deleted; start a new one.", code="job_deleting", status=status)
    if job.cleaned_at is not None:
        raise Conflict(
            "What this job made has been cleaned up, so it cannot be completed any more; start a new job.",
            code="no_artifacts",
            status=status,
        )
    if job.cleanup_requested_at is not None:
        raise Conflict(
            "The job is being cleaned up; wait until that is finished, then start a new job.",
            code="cleanup_running",
            status=status,
        )
