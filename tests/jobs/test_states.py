"""The whole matrix of job statuses and of item states: what is listed moves, everything else is refused."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from jobs.control import end
from jobs.control.cancel import job_cancel
from jobs.ledger import settle
from jobs.ledger.claims import items_claim, items_release
from jobs.ledger.expiry import leases_expire
from jobs.ledger.moves import job_lock, job_move
from jobs.models import Job, JobEvent, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim
from jobs.states import (
    FINAL_ITEM,
    FINISHED_JOB,
    ITEM_MOVES,
    JOB_MOVES,
    ItemState,
    JobStatus,
    Reason,
)
from tests.helpers.factories import item, lane_id, states

pytestmark = pytest.mark.django_db

# Written out once more on purpose: a slip in `states.py` must not agree with itself.
JOB_TARGETS = {
    "queued": "running paused cancelling cancelled completed failed",
    "running": "paused cancelling cancelled completed failed",
    "paused": "queued running cancelling cancelled completed failed",
    "cancelling": "cancelled",
    "cancelled": "queued deleting",
    "completed": "queued deleting",
    "failed": "queued deleting",
    "deleting": "",
}


@pytest.mark.parametrize("to", JobStatus)
@pytest.mark.parametrize("start", JobStatus)
def test_a_job_moves_only_as_listed(make_job: Callable[..., Job], start: JobStatus, to: JobStatus) -> None:
    job = make_job(status=start)
    ends = {"completed_at": Now(), "result": {}} if to in FINISHED_JOB else {"completed_at": None, "result": None}
    wanted = {"cancel_requested_at": Now()} if to is JobStatus.CANCELLING else {}
    locked = job_lock(job.pk)
    assert locked is not None
    if to in JOB_TARGETS[start].split():
        assert job_move(locked, to, action="test", **ends, **wanted)
        job.refresh_from_db()
        assert job.status == to
        event = JobEvent.objects.get(job=job)
        assert (event.from_status, event.to_status) == (start, to)
    else:
        with pytest.raises(ValueError, match=f"never moves from {start} to {to}"):
            job_move(locked, to, action="test", **ends, **wanted)
        job.refresh_from_db()
        assert job.status == start


@pytest.mark.parametrize("start", JobStatus)
def test_a_job_that_has_moved_on_is_not_moved(make_job: Callable[..., Job], start: JobStatus) -> None:
    """The guarded UPDATE decides: whoever read the status earlier and comes late changes nothing."""
    job = make_job(status=JobStatus.QUEUED)
    read_earlier = job_lock(job.pk)
    assert read_earlier is not None
    Job.objects.filter(pk=job.pk).update(status="running")
    assert not job_move(read_earlier, JobStatus.PAUSED, action="test")
    job.refresh_from_db()
    assert job.status == "running"
    assert not JobEvent.objects.filter(job=job).exists()


# What happens to an item in each state (columns) under each operation (rows). The claim that settles,
# releases or expires is the item's own where it is claimed, and an old one otherwise.
OPERATIONS = """
    operation     pending   claimed   done  failed  skipped
    claim         claimed   claimed   done  failed  skipped
    settle_done   pending   done      done  failed  skipped
    settle_failed pending   failed    done  failed  skipped
    settle_skip   pending   skipped   done  failed  skipped
    settle_retry  pending   pending   done  failed  skipped
    release       pending   pending   done  failed  skipped
    expire        pending   pending   done  failed  skipped
    cancel        skipped   claimed   done  failed  skipped
    force         skipped   skipped   done  failed  skipped
"""
_HEAD, *_ROWS = [line.split() for line in OPERATIONS.strip().splitlines()]
CASES = [(row[0], start, ending) for row in _ROWS for start, ending in zip(_HEAD[1:], row[1:], strict=True)]


def item_put(job: Job, state: str) -> Claim:
    """Put the job's only item into `state`; return the claim it has, or had long ago."""
    lease = uuid4()
    row = item(job)
    is_final = ItemState(state) in FINAL_ITEM
    WorkItem.objects.filter(pk=row.pk).update(
        state=state,
        reason="timeout" if state in ("failed", "skipped") else "",
        finished_at=timezone.now() if is_final else None,
        lease=lease if state == "claimed" else None,
        lease_until=timezone.now() if state == "claimed" else None,
    )
    return Claim(row.pk, job.pk, row.key, lease, 0, 0, 0, {})


def operate(operation: str, job: Job, claim: Claim) -> None:
    """Do to the item what the row of the table says."""
    outcomes = {
        "settle_done": lambda: kinds.done(claim),
        "settle_failed": lambda: kinds.failed(claim, Reason.PARSE, detail="broken"),
        "settle_skip": lambda: kinds.skipped(claim, Reason.ROBOTS),
        "settle_retry": lambda: kinds.retryable(claim, Reason.TIMEOUT, detail="slow"),
    }
    if operation in outcomes:
        settle.outcomes_settle(job.pk, [outcomes[operation]()])
    elif operation == "claim":
        items_claim(lane_id(), 1)
    elif operation == "release":
        items_release([claim])
    elif operation == "expire":
        leases_expire(all_of_them=True)
    else:
        job_cancel(job_id=job.pk, force=operation == "force")


@pytest.mark.parametrize(("operation", "start", "ending"), CASES)
def test_an_item_moves_only_as_listed(make_job: Callable[..., Job], operation: str, start: str, ending: str) -> None:
    job = make_job(1)
    claim = item_put(job, start)
    before = item(job)
    operate(operation, job, claim)
    after = item(job)
    assert after.state == ending
    if start == ending:
        assert (after.lease, after.finished_at, after.reason) == (
            before.lease,
            before.finished_at,
            before.reason,
        )
    else:
        assert ItemState(ending) in ITEM_MOVES[ItemState(start)]


def test_every_listed_item_move_but_a_retry_is_made_by_some_operation() -> None:
    made = {(start, ending) for _, start, ending in CASES if start != ending}
    listed = {(start.value, to.value) for start, targets in ITEM_MOVES.items() for to in targets}
    assert listed - made == {("failed", "pending"), ("skipped", "pending")}
    assert made <= listed


def test_what_may_become_what() -> None:
    def before(moves: dict[str, frozenset[str]], to: str) -> set[str]:
        return {str(start) for start, targets in moves.items() if to in targets}

    assert before(JOB_MOVES, JobStatus.DELETING) == {"cancelled", "completed", "failed"}
    assert before(JOB_MOVES, JobStatus.CANCELLED) == {"cancelling", "paused", "queued", "running"}
    assert before(ITEM_MOVES, ItemState.PENDING) == {"claimed", "failed", "skipped"}


def test_a_cancelled_job_ends_with_its_items_counted(make_job: Callable[..., Job]) -> None:
    job = make_job(3, status=JobStatus.CANCELLING)
    assert end.job_end_if_done(job.pk) is JobStatus.CANCELLED
    assert states(job) == {"skipped": 3}
