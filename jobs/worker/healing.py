"""Healing: what crashes, lost messages and lost leases left behind is repaired, every few seconds.

Every step is a guarded statement of its own and harmless to repeat; one healer works at a time, except on
cancelling jobs.
"""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from jobs.control import retention
from jobs.control.end import cancelling_skip, job_end_if_done
from jobs.ledger.expiry import leases_expire
from jobs.messages import wake
from jobs.postgres.advisory_locks import HEALER_LOCK, lock_tried
from jobs.registry import chores
from jobs.states import ACTIVE_JOB, JobStatus

MAX_REMOVALS = 50  # sent again per round: if a thousand are waiting, most already have a message


@dataclass(frozen=True, slots=True)
class HealReceipt:
    """What one round of healing found and repaired."""

    ran: bool  #: False when another healer was running, and only cancelling jobs were healed
    leases_expired: int = 0
    workers_lost: int = 0
    skipped: int = 0
    ended: int = 0
    woken: int = 0
    retired: int = 0  #: finished jobs whose cleanup was requested because of their age


def heal() -> HealReceipt:
    """Repair what no other process will; return what was found.

    While another healer is running, only cancelling jobs are healed: a caller may be waiting for their end.
    Raises: ExceptionGroup when jobs could not be ended, after all the others were healed.
    """
    with lock_tried(HEALER_LOCK) as is_alone:
        receipt, errors = _heal_everything() if is_alone else _heal_cancelling()
    if errors:
        raise ExceptionGroup("some jobs could not be ended", errors)
    return receipt


def _heal_cancelling() -> tuple[HealReceipt, list[Exception]]:
    # The other healer may be past these already, and a cancel has sent this round for what it left to be skipped.
    skipped = _skip_cancelling()
    ended, errors = _end_jobs([JobStatus.CANCELLING])
    return HealReceipt(ran=False, skipped=skipped, ended=ended), errors


def _heal_everything() -> tuple[HealReceipt, list[Exception]]:
    expired, lost = leases_expire()
    skipped = _skip_cancelling()
    ended, errors = _end_jobs(ACTIVE_JOB)
    woken = lanes_rewake() + removals_rewake() + chores.wake_due()
    retired = retention.jobs_retire()
    return HealReceipt(True, expired, lost, skipped, ended, woken, retired), errors


def _skip_cancelling() -> int:
    """Skip pending items of cancelling jobs: too many for one step, or given back by a worker that died."""
    return sum(cancelling_skip(job_id) for job_id in _jobs_in([JobStatus.CANCELLING]))


def _end_jobs(statuses: Collection[JobStatus]) -> tuple[int, list[Exception]]:
    """End such jobs with nothing left; return how many ended, and what kept others from it."""
    ended = 0
    errors: list[Exception] = []
    for job_id in _jobs_in(statuses):
        try:
            ended += job_end_if_done(job_id) is not None
        except Exception as error:  # noqa: BLE001  raised by `heal` once all the other jobs are healed
            error.add_note(f"while ending job {job_id}")
            errors.append(error)
    return ended, errors


def _jobs_in(statuses: Collection[JobStatus]) -> list[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM jobs_job WHERE status = ANY(%s) ORDER BY id",
            [[status.value for status in statuses]],
        )
        return [row[0] for row in cursor.fetchall()]


def lanes_rewake() -> int:
    """Wake the lanes that have due work but are not served; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT l.id FROM jobs_lane l
            WHERE l.paused_at IS NULL AND (l.lease_until IS NULL OR l.lease_until < clock_timestamp())
              AND EXISTS (
                SELECT 1 FROM jobs_job j JOIN jobs_workitem w ON w.job_id = j.id
                WHERE j.status IN ('queued', 'running') AND j.cancel_requested_at IS NULL
                  AND w.lane_id = l.id AND w.state = 'pending'
                  AND (w.not_before IS NULL OR w.not_before <= clock_timestamp()))
            """
        )
        return wake.lanes_wake(row[0] for row in cursor.fetchall())


def removals_rewake() -> int:
    """Send again the actor of cleanups and deletes that are not finished, at most MAX_REMOVALS; return how many.

    Picked at random, so that removals that keep failing do not hold up the others.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM jobs_job
            WHERE status = 'deleting'
               OR (status IN ('cancelled', 'completed', 'failed')
                   AND (delete_requested_at IS NOT NULL
                        OR (cleanup_requested_at IS NOT NULL AND cleaned_at IS NULL)))
            ORDER BY random() LIMIT %s
            """,
            [MAX_REMOVALS],
        )
        unfinished = [row[0] for row in cursor.fetchall()]
    for job_id in unfinished:
        wake.removal_wake(job_id)
    return len(unfinished)
