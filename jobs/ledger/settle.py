"""Settling: writing what became of claims, in one transaction, fenced by their leases.

A worker that lost a lease, or whose job is being deleted, writes nothing anywhere.
"""

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from jobs.ledger.items import items_grow
from jobs.ledger.moves import LockedJob, job_lock
from jobs.postgres.text import storable
from jobs.postgres.transactions import retried
from jobs.registry import kinds
from jobs.registry.kinds import NewItem, Outcome
from jobs.states import SETTLING_JOB, ItemState, JobStatus, Reason

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
MIN_WAIT_SECONDS = 1.0  # "later" without a waiting time would be tried in a tight loop
MAX_WAIT_SECONDS = 3600.0  # in total, for hosts that keep answering "later"
BACKOFF_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Settled:
    """How many claims were written, which were no longer held, and which failed because of their own result."""

    written: int
    lost: tuple[int, ...]
    refused: tuple[int, ...] = ()


def outcomes_settle(job_id: UUID, outcomes: Sequence[Outcome]) -> Settled:
    """Write the outcomes of one job's claims with their results and new items; return what was still held.

    When PostgreSQL refuses a value, or a kind cannot write it, the batch is settled item by item, and only the
    culprit fails. An outage of PostgreSQL is raised: it is not the fault of an item.
    """
    try:
        return retried(partial(_settle, job_id, outcomes))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        if len(outcomes) == 1:
            culprit = outcomes[0]
            log.exception("result_not_stored", extra={"item": culprit.claim.id, "key": culprit.claim.key})
            return _settle_culprit(job_id, culprit, error)
    parts = [outcomes_settle(job_id, [outcome]) for outcome in outcomes]
    return Settled(
        sum(part.written for part in parts),
        tuple(lost for part in parts for lost in part.lost),
        tuple(refused for part in parts for refused in part.refused),
    )


def _settle_culprit(job_id: UUID, outcome: Outcome, error: Exception) -> Settled:
    detail = f"The result could not be stored: {type(error).__name__}: {error}"[:400].partition("\n")[0]
    failure = kinds.failed(outcome.claim, Reason.INTERNAL, detail=detail)
    settled = retried(partial(_settle, job_id, [failure]))
    return replace(settled, refused=(outcome.claim.id,))


def _settle(job_id: UUID, outcomes: Sequence[Outcome]) -> Settled:
    job = job_lock(job_id)
    if job is None or job.status not in SETTLING_JOB:
        return Settled(0, tuple(outcome.claim.id for outcome in outcomes))
    leases = _leases_locked(outcomes)
    held = [outcome for outcome in outcomes if leases.get(outcome.claim.id) == outcome.claim.lease]
    lost = tuple(outcome.claim.id for outcome in outcomes if leases.get(outcome.claim.id) != outcome.claim.lease)
    if not held:
        return Settled(0, lost)
    final = kinds.get(job.key.kind).settle(job.key, [_decided(outcome, job) for outcome in held])
    _write(final)
    _grow(job, final)
    return Settled(len(final), lost)


def _leases_locked(outcomes: Sequence[Outcome]) -> dict[int, UUID | None]:
    """Return the lease each claimed item has now, the rows locked in id order.

    Only a claimed row has a lease (a CHECK says so). Asking for the state as well would tempt the planner into the
    index of claimed rows, which it expects to be empty but which has all rows claimed since the last vacuum.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, lease FROM jobs_workitem WHERE id = ANY(%s) ORDER BY id FOR UPDATE",
            [[outcome.claim.id for outcome in outcomes]],
        )
        return dict(cursor.fetchall())


def _decided(outcome: Outcome, job: LockedJob) -> Outcome:
    """Return the outcome with the retry policy applied: once more, or enough."""
    if outcome.state is not ItemState.PENDING:
        return outcome
    if job.status is JobStatus.CANCELLING:
        return outcome.turned(ItemState.SKIPPED, Reason.CANCELLED.value)
    claim = outcome.claim
    if outcome.burns_attempt:
        if claim.attempts + 1 >= MAX_ATTEMPTS:
            return replace(outcome, state=ItemState.FAILED)
        delay = BACKOFF_SECONDS * 2**claim.attempts * random.uniform(0.75, 1.25)  # noqa: S311  jitter
        return replace(outcome, retry_after_seconds=delay)
    wait = max(outcome.retry_after_seconds or 0.0, MIN_WAIT_SECONDS)
    if claim.waited_seconds + wait > MAX_WAIT_SECONDS:
        return replace(outcome, state=ItemState.FAILED)
    return replace(outcome, retry_after_seconds=wait)


_WRITE = """
    UPDATE jobs_workitem AS w
    SET state = d.state, outcome = d.outcome, result = d.result,
        reason = CASE WHEN d.state = 'pending' THEN '' ELSE d.reason END,
        attempts = w.attempts + d.burnt, waited_seconds = w.waited_seconds + d.waited,
        not_before = clock_timestamp() + make_interval(secs => d.delay),
        lease = NULL, lease_until = NULL,
        finished_at = CASE WHEN d.state = 'pending' THEN NULL ELSE clock_timestamp() END
    FROM json_to_recordset(%s::json) AS d(id bigint, lease uuid, state text, reason text, outcome text, result jsonb,
                                          burnt int, waited int, delay float8)
    WHERE w.id = d.id AND w.lease = d.lease
"""


def _write(outcomes: Sequence[Outcome]) -> None:
    """Write the ends; `not_before` stays NULL where no delay is given, since NULL + now is NULL.

    One JSON document carries them all: half the time of an array for each column.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [json.dumps([_row(outcome) for outcome in outcomes])])
        if cursor.rowcount != len(outcomes):
            raise AssertionError(f"{len(outcomes)} claims were locked but {cursor.rowcount} were written")


def _row(outcome: Outcome) -> dict[str, Any]:
    waiting = outcome.state is ItemState.PENDING
    delay = outcome.retry_after_seconds if waiting else None
    return {
        "id": outcome.claim.id,
        "lease": str(outcome.claim.lease),
        "state": outcome.state.value,
        "reason": outcome.reason,
        "outcome": outcome.outcome,
        "result": storable(outcome.result),
        "burnt": int(outcome.burns_attempt),
        "waited": int(delay or 0) if waiting and not outcome.burns_attempt else 0,
        "delay": delay,
    }


def _grow(job: LockedJob, outcomes: Sequence[Outcome]) -> None:
    """Add what the items found, in the order found; the ledger refuses it once a cancel was requested."""
    new: dict[str, NewItem] = {}
    for outcome in outcomes:
        for item in outcome.new_items:
            known = new.get(item.key)
            if known is None or item.rank < known.rank:
                new[item.key] = item
    if new:
        items_grow(job, list(new.values()))
