"""The end of a job: decided in a transaction of its own, after every settle and release.

Deciding inside the settle would let two last workers each see the other's items still claimed, and the job
would hang until healed.
"""

import logging
from functools import partial
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic

from jobs.ledger.counts import Counts, items_count, pages_taken
from jobs.ledger.moves import LockedJob, job_lock, job_move, job_ref
from jobs.messages import wake
from jobs.postgres.transactions import retried
from jobs.registry import kinds
from jobs.states import ItemState, JobStatus, Reason

log = logging.getLogger(__name__)

SKIPPED_AT_ONCE = 25_000  # about 0.3 s; workers see a cancel only once this is committed


def job_end_if_done(job_id: UUID) -> JobStatus | None:
    """End the job if nothing is left to do; return its new status, None if it continues."""
    return retried(partial(_end_if_done, job_id))


def _end_if_done(job_id: UUID) -> JobStatus | None:
    job = job_lock(job_id)
    if job is None:
        return None
    # Each question below is a new statement: it sees what others committed before the lock was granted.
    if job.status is JobStatus.CANCELLING:
        items_skip(job_id)  # what a worker gave back, or a cancel left to be skipped
        return None if _remaining(job_id) else job_end(job, JobStatus.CANCELLED, action="cancelled")
    if job.status not in (JobStatus.RUNNING, JobStatus.PAUSED, JobStatus.QUEUED):
        return None
    if job.page_limit is not None:
        _skip_beyond_limit(job)
    if _remaining(job_id):
        return None
    return job_end(job, _verdict(job_id), action="ended")


def job_end(
    job: LockedJob,
    to: JobStatus,
    *,
    action: str,
    actor: str = "",
    reason: str = "",
    counted: Counts | None = None,
    **fields: Any,
) -> JobStatus:
    """Write the final status and `result` of a locked job in one UPDATE, and let its kind chain what follows.

    None of its items may be pending or claimed. counted: how they stand, when the caller has counted already.
    """
    facts: dict[str, Any] = {}
    if to is not JobStatus.CANCELLED:
        facts, trouble = _completed(job)
        if trouble:
            to = JobStatus.FAILED
            fields["error"] = trouble
    counted = counted or items_count(job.key.id)
    fields.setdefault("error", _explained(counted) if to is JobStatus.FAILED else "")
    job_move(
        job,
        to,
        action=action,
        actor=actor,
        reason=reason,
        counts=counted.as_json(),
        completed_at=Now(),
        result={**counted.as_json(), **facts},
        **fields,
    )
    if job.delete_requested_at is not None:
        wake.removal_wake(job.key.id)
    return to


def _completed(job: LockedJob) -> tuple[dict[str, Any], str]:
    """Return the kind's facts, and what went wrong: a kind that cannot complete must not keep its job for ever."""
    try:
        with atomic():
            return kinds.get(job.key.kind).complete(job_ref(job.key.id)), ""
    except (OperationalError, InterfaceError):
        raise  # the database's trouble, not the kind's: the whole end is tried again
    except Exception as error:
        log.exception("job_completion_failed", extra={"job_id": str(job.key.id)})
        return {}, f"All items are finished, but completing the job failed: {type(error).__name__}: {error}"


def items_skip(job_id: UUID, reason: Reason = Reason.CANCELLED, *, claimed_too: bool = False) -> int:
    """Skip up to SKIPPED_AT_ONCE pending items of a job that this transaction has locked; return how many.

    claimed_too: revoke all its leases as well; their holders can no longer write.
    """
    values = {"job": job_id, "reason": reason.value, "most": SKIPPED_AT_ONCE}
    with connection.cursor() as cursor:
        cursor.execute(_IS_MORE_THAN_A_STEP, values)
        if not cursor.fetchone()[0]:
            # One statement, because an item that is given back between two would escape both.
            cursor.execute(_SKIP_ALL_CLAIMED_TOO if claimed_too else _SKIP_ALL, values)
            return int(cursor.rowcount)
        revoked = 0
        if claimed_too:  # what is given back meanwhile is skipped by a later step
            cursor.execute(_SKIP_CLAIMED, values)
            revoked = cursor.rowcount
        cursor.execute(_SKIP_STEP, values)
        return int(revoked + cursor.rowcount)


_IS_MORE_THAN_A_STEP = (
    "SELECT EXISTS (SELECT FROM jobs_workitem WHERE job_id = %(job)s AND state = 'pending' OFFSET %(most)s)"
)
_SKIP = """
    UPDATE jobs_workitem SET state = 'skipped', reason = %(reason)s, lease = NULL, lease_until = NULL,
                             not_before = NULL, finished_at = clock_timestamp()
"""
_SKIP_ALL = f"{_SKIP} WHERE job_id = %(job)s AND state = 'pending'"
_SKIP_CLAIMED = f"{_SKIP} WHERE job_id = %(job)s AND state = 'claimed'"
_SKIP_ALL_CLAIMED_TOO = f"{_SKIP} WHERE job_id = %(job)s AND (state = 'pending' OR state = 'claimed')"
# The ids are the only condition: beside another one the planner may look for each row in the whole list of them.
_SKIP_STEP = f"""
    WITH picked AS MATERIALIZED (
        SELECT id FROM jobs_workitem WHERE job_id = %(job)s AND state = 'pending' LIMIT %(most)s FOR UPDATE)
    {_SKIP} WHERE id = ANY(ARRAY(SELECT id FROM picked))
"""  # noqa: S608  constants only


def cancelling_skip(job_id: UUID) -> int:
    """Skip all pending items of a cancelling job, in steps that each commit; return how many. Else do nothing."""
    skipped = 0
    while step := retried(partial(_cancelling_skip, job_id)):
        skipped += step
    return skipped


def _cancelling_skip(job_id: UUID) -> int:
    job = job_lock(job_id)
    if job is None or job.status is not JobStatus.CANCELLING:
        return 0
    return items_skip(job_id)


def _skip_beyond_limit(job: LockedJob) -> None:
    if job.page_limit is None or _true(f"SELECT {_CLAIMED}", job.key.id):
        return  # what is claimed may not become a page; no more is claimed meanwhile, that takes the job's lock
    if pages_taken(job.key) >= job.page_limit:
        while items_skip(job.key.id, Reason.LIMIT):
            pass  # until none is left


# Each is answered by a partial index of its own, however many items are settled.
_PENDING = "EXISTS (SELECT 1 FROM jobs_workitem WHERE job_id = %(job)s AND state = 'pending')"
_CLAIMED = "EXISTS (SELECT 1 FROM jobs_workitem WHERE job_id = %(job)s AND state = 'claimed')"


def _remaining(job_id: UUID) -> bool:
    # One statement: claims and releases do not lock the job, and an item that changes sides between two questions
    # would be seen on neither.
    return _true(f"SELECT {_CLAIMED} OR {_PENDING}", job_id)


def _true(question: str, job_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, {"job": job_id})
        return bool(cursor.fetchone()[0])


def _verdict(job_id: UUID) -> JobStatus:
    """A job in which nothing at all succeeded has failed; one with failed items has completed."""
    states = items_count(job_id).states
    if states and not states.get(ItemState.DONE.value):
        return JobStatus.FAILED
    return JobStatus.COMPLETED


def _explained(counted: Counts) -> str:
    reasons = ", ".join(f"{number} {reason}" for reason, number in counted.reasons.items())
    return f"Nothing succeeded: {reasons}." if reasons else ""
