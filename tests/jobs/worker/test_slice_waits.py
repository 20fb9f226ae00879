"""Slices that wait: for PostgreSQL, for work that is due soon, for nothing at all."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from jobs.errors import Conflict, Unavailable
from jobs.ledger import lanes, settle
from jobs.ledger.claims import items_claim
from jobs.ledger.items import items_add
from jobs.models import Job, Lane, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, NewItem, Outcome
from jobs.states import JobStatus, Reason
from jobs.worker import runner, slice
from tests.helpers.factories import LANE, Gate, Probe, held_at, item, lane_id, lane_is_free, states, status_of
from tests.helpers.threads import Side, until

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
InThread = Callable[..., Side]


def test_a_connection_lost_in_the_middle_loses_nothing(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    gate = Gate()
    probe.do = held_at(gate)
    job = make_job(20)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(16)
    cut: set[int] = set()

    def both_are_cut() -> bool:
        """The slice's own, and the one of the thread that waits for it: not each look shows every connection."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            cut.update(pid for pid, _ in cursor.fetchall())
        return len(cut) >= 2

    until(both_are_cut, "the slice's connection and that of its thread are cut")
    gate.open()
    assert side.result() == 20
    assert (status_of(job), states(job)) == ("completed", {"done": 20})
    assert set(WorkItem.objects.values_list("lost_leases", flat=True)) == {0}
    assert lane_is_free()


def test_a_connection_lost_in_the_settle_loses_nothing(make_job: MakeJob, probe: Probe) -> None:
    broken: list[int] = []

    def settle_now(ref: JobRef, outcomes: list[Outcome]) -> list[Outcome]:
        if not broken:
            broken.append(1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return outcomes

    probe.on_settle = settle_now
    job = make_job(5)
    assert runner.slice_run(lane_id=lane_id()) == 5
    assert (status_of(job), states(job), broken) == ("completed", {"done": 5}, [1])


# Nothing due, near work, wake-ups


def test_nothing_due_soon_ends_the_slice_with_a_delayed_wake(
    make_job: MakeJob, probe: Probe, in_thread: InThread, sent: Any
) -> None:
    make_job(2)
    WorkItem.objects.update(not_before=timezone.now() + timedelta(seconds=90))
    sent.messages.clear()
    assert in_thread(runner.slice_run, lane_id=lane_id()).result() == 0
    ((actor, args, delay),) = sent.messages
    assert (actor, args) == ("run_slice", (lane_id(),))
    assert delay is not None
    assert 80_000 < delay <= 90_000


def test_the_delay_of_a_wake_is_bounded(make_job: MakeJob, probe: Probe, sent: Any) -> None:
    make_job(1)
    WorkItem.objects.update(not_before=timezone.now() + timedelta(days=2))
    sent.messages.clear()
    runner.slice_run(lane_id=lane_id())
    assert [delay for _, _, delay in sent.messages] == [int(runner.MAX_DELAY_SECONDS * 1000)]


def test_work_due_soon_is_waited_for(make_job: MakeJob, probe: Probe, sent: Any) -> None:
    job = make_job(1)
    WorkItem.objects.update(not_before=timezone.now() + timedelta(seconds=0.7))
    sent.messages.clear()
    assert runner.slice_run(lane_id=lane_id()) == 1
    assert status_of(job) == "completed"
    assert sent.messages == []


def test_the_lane_stays_ours_while_waiting(
    make_job: MakeJob, probe: Probe, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job at its page limit, its pages in flight in another lane, keeps this slice waiting."""
    monkeypatch.setattr(slice, "HEARTBEAT_SECONDS", 0.2)
    job = make_job(1, page_limit=1)
    with transaction.atomic():
        items_add(job.pk, [NewItem("elsewhere", "probe:2")])
    elsewhere = items_claim(lane_id("probe:2"), 1)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    leases = Lane.objects.filter(key=LANE).values_list("lease_until", flat=True)
    until(lambda: leases.all().get() is not None, "the lane is taken")
    before = leases.all().get()
    until(lambda: leases.all().get() > before, "its lease is prolonged")
    settle.outcomes_settle(job.pk, [kinds.done(claim) for claim in elsewhere])
    assert side.result() == 0
    assert (status_of(job), states(job)) == ("completed", {"done": 1, "skipped": 1})


def test_a_slice_ends_when_its_time_is_up_and_goes_on_in_a_new_one(
    make_job: MakeJob, probe: Probe, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(30)
    sent.messages.clear()
    offset = [0.0]
    real = time.monotonic

    async def work(ref: JobRef, claim: Claim) -> Outcome:
        offset[0] = slice.SLICE_SECONDS + 1  # the first batch took a minute
        return kinds.done(claim)

    probe.do = work
    monkeypatch.setattr(slice.time, "monotonic", lambda: real() + offset[0])
    assert runner.slice_run(lane_id=lane_id()) == 16
    assert (status_of(job), states(job)) == ("running", {"done": 16, "pending": 14})
    assert sent.messages == [("run_slice", (lane_id(),), None)]


def test_a_wake_that_comes_while_a_slice_ends_is_not_lost(
    make_job: MakeJob, probe: Probe, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slice found nothing more; items come while it still holds the lane, so their wake-up is dropped."""
    job = make_job(1)
    make_job(["keeps the lane"], status=JobStatus.PAUSED)
    release = lanes.lane_release
    late: list[Job] = []

    def add_then_release(lane: int, lease: Any) -> None:
        sent.messages.clear()
        late.append(make_job(["late"]))
        assert sent.messages == []  # dropped: the lane is being served
        release(lane, lease)

    monkeypatch.setattr(lanes, "lane_release", add_then_release)
    assert runner.slice_run(lane_id=lane_id()) == 1
    assert status_of(job) == "completed"
    assert sent.messages == [("run_slice", (lane_id(),), None)]
    monkeypatch.setattr(lanes, "lane_release", release)
    assert runner.slice_run(lane_id=lane_id()) == 1
    assert status_of(late[0]) == "completed"


def test_items_beyond_the_page_limit_end_with_their_job(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(30, page_limit=10)
    assert runner.slice_run(lane_id=lane_id()) == 10
    assert (status_of(job), states(job)) == ("completed", {"done": 10, "skipped": 20})


def test_failures_are_tried_again_after_their_back_off(
    make_job: MakeJob, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settle, "BACKOFF_SECONDS", 0.1)
    tried: list[str] = []

    async def work(job: JobRef, claim: Claim) -> Outcome:
        tried.append(claim.key)
        if claim.attempts < 2:
            return kinds.retryable(claim, Reason.CONNECTION, detail="refused")
        return kinds.done(claim)

    probe.do = work
    job = make_job(2)
    runner.slice_run(lane_id=lane_id())
    assert (status_of(job), states(job), sorted(tried)) == (
        "completed",
        {"done": 2},
        ["item-0"] * 3 + ["item-1"] * 3,
    )


def test_a_temporary_error_gives_the_item_back(
    make_job: MakeJob, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that says it may pass is a service's trouble; any other is the item's own end."""
    monkeypatch.setattr(settle, "BACKOFF_SECONDS", 0.1)

    async def work(job: JobRef, claim: Claim) -> Outcome:
        if claim.key == "item-1":
            raise Conflict("never possible")
        if not claim.attempts:
            raise Unavailable("The service does not answer.")
        return kinds.done(claim)

    probe.do = work
    job = make_job(2)
    runner.slice_run(lane_id=lane_id())
    assert states(job) == {"done": 1, "failed": 1}
    assert (item(job, "item-0").attempts, item(job, "item-1").reason) == (1, "internal")
