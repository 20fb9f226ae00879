"""Slices that are told to stop, or should be: cancel, force, pause, hung work, lost leases."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.control.cancel import job_cancel
from jobs.control.pause import job_pause, job_resume
from jobs.ledger import settle
from jobs.ledger.claims import items_claim
from jobs.ledger.expiry import leases_expire
from jobs.models import Job, Lane, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, Outcome
from jobs.states import JobStatus
from jobs.worker import healing, runner, slice
from tests.helpers.factories import (
    LANE,
    Gate,
    Probe,
    held_at,
    item,
    lane_id,
    lane_is_free,
    leases_run_out,
    states,
    status_of,
)
from tests.helpers.threads import Side, until

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
InThread = Callable[..., Side]


def test_a_cancel_aborts_sixteen_in_flight_between_two_heartbeats(
    make_job: MakeJob, probe: Probe, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look for cancels finds it, which is often enough for a cancel to end within a second."""
    assert slice.CHECK_SECONDS + slice.SETTLE_AFTER_SECONDS < 1.0
    monkeypatch.setattr(slice, "HEARTBEAT_SECONDS", 3600.0)
    gate = Gate()
    probe.do = held_at(gate)
    job = make_job(40)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(16)
    receipt = job_cancel(job_id=job.pk)
    assert (receipt.status, receipt.in_flight, receipt.skipped) == (JobStatus.CANCELLING, 16, 24)
    until(lambda: status_of(job) == "cancelled", "the job is cancelled")
    assert states(job) == {"skipped": 40}
    assert side.result() == 16
    assert len(probe.started) == 16
    job.refresh_from_db()
    assert job.result == {"counts": {"skipped": 40}, "reasons": {"cancelled": 40}, "outcomes": {}}


def test_finished_results_survive_a_cancel(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    """Ten finish, and one answers its abort with a result; the other five are aborted."""
    gate = Gate()

    async def work(job: JobRef, claim: Claim) -> Outcome:
        place = int(claim.key.removeprefix("item-"))
        if place >= 10:
            try:
                await gate.passed()
            except asyncio.CancelledError:
                if place > 10:
                    raise
        return kinds.done(claim)

    probe.do = work
    job = make_job(16)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(16)
    until(lambda: states(job).get("done") == 10, "ten are settled")
    assert job_cancel(job_id=job.pk).in_flight == 6
    side.result()
    assert (status_of(job), states(job)) == ("cancelled", {"done": 11, "skipped": 5})
    assert item(job, "item-10").state == "done"


def test_a_cancel_spares_the_other_jobs_of_the_lane(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    gate = Gate()
    probe.do = held_at(gate)
    probe.in_hand = 8
    doomed, spared = make_job(4), make_job(4)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(8)
    job_cancel(job_id=doomed.pk)
    until(lambda: status_of(doomed) == "cancelled", "the job is cancelled")
    assert states(spared) == {"claimed": 4}
    gate.open()
    side.result()
    assert (status_of(spared), states(spared)) == ("completed", {"done": 4})


def test_force_ends_the_job_and_the_work(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    gate = Gate()
    probe.do = held_at(gate)
    job = make_job(3)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(3)
    assert job_cancel(job_id=job.pk, force=True).status is JobStatus.CANCELLED
    assert side.result() == 0  # the slice noticed, and could write nothing
    assert states(job) == {"skipped": 3}


def test_a_pause_lets_work_in_flight_finish_and_claims_no_more(
    make_job: MakeJob, probe: Probe, in_thread: InThread
) -> None:
    gate = Gate()
    probe.do = held_at(gate)
    job = make_job(30)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(16)
    job_pause(job_id=job.pk)
    gate.open()
    assert side.result() == 16
    assert (status_of(job), states(job)) == ("paused", {"done": 16, "pending": 14})
    job_resume(job_id=job.pk)
    assert runner.slice_run(lane_id=lane_id()) == 14
    assert status_of(job) == "completed"


@pytest.mark.parametrize("action", [job_pause, job_cancel])
def test_what_happened_between_choosing_and_claiming_is_noticed(
    make_job: MakeJob,
    probe: Probe,
    in_thread: InThread,
    monkeypatch: pytest.MonkeyPatch,
    action: Callable[..., Any],
) -> None:
    """The status is looked at again after the claim was committed, before anything else can be claimed."""
    gate = Gate()  # never opened: what was begun must be stopped
    probe.do = held_at(gate)
    job = make_job(4)
    claim = items_claim

    def claim_then_act(*args: Any, **kwargs: Any) -> list[Claim]:
        claims = claim(*args, **kwargs)
        if claims:
            action(job_id=job.pk)
        return claims

    monkeypatch.setattr("jobs.worker.slice.items_claim", claim_then_act)
    monkeypatch.setattr(slice, "CHECK_SECONDS", 3600.0)  # so that only the look after the claim can notice
    in_thread(runner.slice_run, lane_id=lane_id()).result()
    if action is job_pause:
        assert (status_of(job), states(job)) == ("paused", {"pending": 4})
        assert item(job).lost_leases == 0
    else:
        assert (status_of(job), states(job)) == ("cancelled", {"skipped": 4})


# Hung work, deadlines, heartbeats


async def deaf(job: JobRef, claim: Claim) -> Outcome:
    """Ignore being cancelled until the loop is closed."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            continue


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats and the patience with hung work, shortened."""
    monkeypatch.setattr(slice, "HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr(slice, "HUNG_SECONDS", 0.5)


def test_a_hung_item_cannot_keep_a_job_cancelling(
    make_job: MakeJob, probe: Probe, in_thread: InThread, impatient: None
) -> None:
    probe.do = deaf
    job = make_job(1)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(1)
    assert job_cancel(job_id=job.pk).in_flight == 1
    side.result()  # the slice does not wait for it either
    assert lane_is_free()
    leases_run_out(job)  # as they do, since no heartbeat extends them any more
    healing.heal()
    assert (status_of(job), states(job)) == ("cancelled", {"skipped": 1})


def test_a_hung_item_gets_no_more_heartbeats_while_others_do(
    make_job: MakeJob, probe: Probe, in_thread: InThread, impatient: None
) -> None:
    gate = Gate()

    async def work(job: JobRef, claim: Claim) -> Outcome:
        return await (deaf(job, claim) if claim.key == "item-0" else held_at(gate)(job, claim))

    probe.do = work
    probe.item_deadline_seconds = 3600.0
    doomed, fine = make_job(["item-0"]), make_job(["fine"])
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(2)
    job_cancel(job_id=doomed.pk)

    def lease_until(job: Job) -> Any:
        return WorkItem.objects.values_list("lease_until", flat=True).get(job=job)

    until(lambda: lease_until(fine) - lease_until(doomed) > timedelta(seconds=1.5), "only one is extended")
    gate.open()
    side.result()
    assert states(fine) == {"done": 1}
    assert states(doomed) == {"claimed": 1}


def test_an_item_past_its_deadline_is_tried_again(make_job: MakeJob, probe: Probe) -> None:
    probe.do = held_at(Gate())
    probe.item_deadline_seconds = 0.3
    job = make_job(1)
    WorkItem.objects.update(attempts=settle.MAX_ATTEMPTS - 1)
    runner.slice_run(lane_id=lane_id())
    row = item(job)
    assert (row.state, row.reason, row.attempts) == ("failed", "timeout", 3)
    assert row.result["detail"].startswith("Gave up after")


def test_a_deaf_item_past_its_deadline_frees_the_lane(
    make_job: MakeJob, probe: Probe, in_thread: InThread, impatient: None
) -> None:
    probe.do = deaf
    probe.item_deadline_seconds = 0.3
    job = make_job(1)
    assert in_thread(runner.slice_run, lane_id=lane_id()).result() == 0
    assert states(job) == {"claimed": 1}
    leases_run_out(job)
    assert healing.heal().leases_expired == 1


def test_heartbeats_extend_items_and_lane(
    make_job: MakeJob, probe: Probe, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slice, "HEARTBEAT_SECONDS", 0.3)
    gate = Gate()
    probe.do = held_at(gate)
    job = make_job(2)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(2)
    leases = WorkItem.objects.filter(job=job).values_list("lease_until", flat=True)
    lane = Lane.objects.filter(key=LANE).values_list("lease_until", flat=True)
    before, lane_before = min(leases), lane.get()
    until(lambda: min(leases.all()) > before and lane.all().get() > lane_before, "the leases are prolonged")
    gate.open()
    assert side.result() == 2


def test_an_item_lost_to_another_is_dropped(
    make_job: MakeJob, probe: Probe, in_thread: InThread, impatient: None
) -> None:
    gate = Gate()
    probe.do = held_at(gate)
    job = make_job(1)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(1)
    Lane.objects.update(paused_at=timezone.now())  # so that it is not claimed anew
    leases_run_out(job)
    leases_expire()
    assert side.result() == 0
    row = item(job)
    assert (row.state, row.lost_leases) == ("pending", 1)


def test_a_lost_item_that_is_paused_leaves_the_lane_working(
    make_job: MakeJob, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lost a lease is claimed alone; given back, it must not keep the others out."""
    lost, other = make_job(["lost"]), make_job(["a"], status=JobStatus.PAUSED)
    WorkItem.objects.filter(job=lost).update(lost_leases=1)
    claim = items_claim

    def claim_then_swap(*args: Any, **kwargs: Any) -> list[Claim]:
        claims = claim(*args, **kwargs)
        if claims and kwargs.get("lost"):
            job_pause(job_id=lost.pk)
            job_resume(job_id=other.pk)
        return claims

    monkeypatch.setattr("jobs.worker.slice.items_claim", claim_then_swap)
    runner.slice_run(lane_id=lane_id())
    assert (status_of(lost), status_of(other)) == ("paused", "completed")
    assert states(lost) == {"pending": 1}
