"""The table of what staff can do to jobs. A new action is one more entry; everything else follows from it."""

from collections.abc import Callable, Sequence
from functools import partial

from jobs.api.waiting import waited
from jobs.control import removal, retry
from jobs.control.cancel import CancelReceipt, job_cancel
from jobs.control.pause import StatusReceipt, job_pause, job_resume
from jobs.control.removal import RemovalReceipt
from jobs.control.retry import RetryReceipt
from jobs.ledger.counts import items_phrase
from jobs.models import Job
from jobs.registry import owners
from jobs.staff.confirmed_actions import ConfirmedAction
from jobs.states import ACTIVE_JOB, CANCELLABLE_JOB, FINISHED_JOB, JobStatus

REMOVAL_WAIT_SECONDS = 2.0  # for all jobs of one action together; what takes longer continues by itself


def _jobs(number: int) -> str:
    return "1 job" if number == 1 else f"{number:,} jobs"


def _cancelled(receipts: Sequence[CancelReceipt]) -> str:
    changed = [receipt for receipt in receipts if receipt.changed]
    skipped, in_flight = sum(r.skipped for r in changed), sum(r.in_flight for r in changed)
    done, failed = sum(r.done for r in changed), sum(r.failed for r in changed)
    pending = sum(r.pending for r in changed)
    waiting = f" {pending:,} more being skipped," if pending else ""
    return (
        f"{_jobs(len(changed))}; {items_phrase(skipped)} skipped,{waiting} {in_flight:,} in flight,"
        f" {done:,} already done, {failed:,} already failed." + _already(len(receipts) - len(changed))
    )


def _moved(receipts: Sequence[StatusReceipt]) -> str:
    changed = sum(receipt.changed for receipt in receipts)
    return f"{_jobs(changed)}." + _already(len(receipts) - changed)


def _already(number: int) -> str:
    return f" {_jobs(number)} needed no change." if number else ""


def _retried(receipts: Sequence[RetryReceipt]) -> str:
    requeued = sum(receipt.requeued for receipt in receipts)
    return f"{_jobs(len(receipts))}; {items_phrase(requeued)} to retry."


def _removed(receipts: Sequence[RemovalReceipt]) -> str:
    """Wait a moment for the removals to finish, then return their progress as one sentence."""
    now, _ = waited(list(receipts), _read_again, _are_finished, seconds=REMOVAL_WAIT_SECONDS)
    parts = []
    for kind in owners.artifact_names():
        found, deleted, kept = (
            sum(receipt.removal.get(kind, {}).get(name, 0) for receipt in now)
            for name in ("found", "deleted", "kept_shared")
        )
        shared = f" ({kept:,} kept for other jobs)" if kept else ""
        parts.append(f"{deleted:,} of {found:,} {kind} deleted{shared}")
    unfinished = sum(not receipt.finished for receipt in now)
    under_way = f" {_jobs(unfinished)} still under way; reload the page to see the result." if unfinished else ""
    return f"{_jobs(len(now))}; {', '.join(parts)}.{under_way}"


def _read_again(receipts: list[RemovalReceipt]) -> list[RemovalReceipt]:
    return [receipt if receipt.finished else removal.receipt_read(receipt) for receipt in receipts]


def _are_finished(receipts: list[RemovalReceipt]) -> bool:
    return all(receipt.finished for receipt in receipts)


def _has_status_in(statuses: frozenset[JobStatus]) -> Callable[[Job], bool]:
    return lambda job: JobStatus(job.status) in statuses


def _is_cleanable(job: Job) -> bool:
    return job.is_finished and job.cleaned_at is None


def _is_retryable(job: Job) -> bool:
    return job.is_finished and job.cleanup_requested_at is None


_job_action = partial(ConfirmedAction, id_argument="job_id")

JOB_ACTIONS: tuple[ConfirmedAction, ...] = (
    _job_action(
        name="pause",
        label="Pause",
        permissions=("jobs.cancel_job",),
        service=job_pause,
        effect="No more items are started. Items in flight finish; all others wait until the job is resumed.",
        summary=_moved,
        fits=_has_status_in(frozenset({JobStatus.QUEUED, JobStatus.RUNNING})),
    ),
    _job_action(
        name="resume",
        label="Resume",
        permissions=("jobs.cancel_job",),
        service=job_resume,
        effect="Pending items are worked on again.",
        summary=_moved,
        fits=_has_status_in(frozenset({JobStatus.PAUSED})),
    ),
    _job_action(
        name="cancel",
        label="Cancel",
        permissions=("jobs.cancel_job",),
        service=job_cancel,
        effect="Pending items are skipped and items in flight are aborted. What is done is kept.",
        summary=_cancelled,
        fits=_has_status_in(CANCELLABLE_JOB),
        is_destructive=True,
    ),
    _job_action(
        name="force",
        label="Force cancel",
        permissions=("jobs.cancel_job",),
        service=job_cancel,
        options={"force": True},
        effect="The job is cancelled at once, without waiting for its workers; later results are discarded.",
        summary=_cancelled,
        fits=_has_status_in(frozenset({JobStatus.CANCELLING})),
        is_destructive=True,
    ),
    _job_action(
        name="retry",
        label="Retry",
        permissions=("jobs.retry_job",),
        service=retry.job_retry,
        effect="Failed items are tried again; for a cancelled job, also the items that the cancel skipped.",
        summary=_retried,
        ticked=("reasons", "hosts"),
        fits=_is_retryable,
    ),
    _job_action(
        name="cleanup",
        label="Clean up",
        permissions=("jobs.cleanup_job",),
        service=removal.job_cleanup,
        effect="What the job made is deleted, wherever it is stored, except what other jobs also use. The job itself"
        " and its history are kept.",
        summary=_removed,
        fits=_is_cleanable,
        is_destructive=True,
    ),
    _job_action(
        name="delete",
        label="Delete",
        permissions=("jobs.delete_job", "jobs.cleanup_job"),
        service=removal.job_delete,
        options={"cleanup": True},
        effect="The job and what it made are deleted, wherever it is stored, except what other jobs also use. An"
        " active job is cancelled first.",
        summary=_removed,
        fits=_has_status_in(ACTIVE_JOB | FINISHED_JOB),
        is_destructive=True,
    ),
    _job_action(
        name="delete_keep",
        label="Delete, keep results",
        permissions=("jobs.delete_job",),
        service=removal.job_delete,
        options={"cleanup": False},
        effect="The job and its list of items are deleted; what it made stays in the project and remains searchable.",
        summary=_removed,
        fits=_has_status_in(FINISHED_JOB),
        is_destructive=True,
    ),
)
