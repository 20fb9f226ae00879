"""What is refused while a job is active, and the sentence that says what to do first."""

from jobs.errors import Conflict
from jobs.ledger.counts import items_count, items_phrase
from jobs.ledger.moves import LockedJob
from jobs.states import ACTIVE_JOB, ItemState, JobStatus


def refuse_active(job: LockedJob, what: str, *, hint: str = "") -> None:
    """Do nothing for a job that has finished. Raises: Conflict (code job_active), saying what to do first."""
    if job.status not in ACTIVE_JOB:
        return
    if job.status is JobStatus.CANCELLING and job.cancel_requested_at is not None:
        states = items_count(job.key.id).states
        in_flight, pending = states.get(ItemState.CLAIMED.value, 0), states.get(ItemState.PENDING.value, 0)
        waiting = f" and {pending:,} more to be skipped" if pending else ""
        detail = (
            f"The job has been cancelling since {job.cancel_requested_at:%Y-%m-%d %H:%M:%S} UTC with"
            f" {items_phrase(in_flight)} in flight{waiting}; it can be {what} as soon as its status is cancelled, in a"
            " few seconds. Cancel it with force=true to end it now."
        )
    else:
        detail = f"The job is {job.status}; cancel it or let it finish, then it can be {what}.{hint}"
    raise Conflict(detail, code="job_active", status=job.status.value)
