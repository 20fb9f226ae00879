"""Whole slices: whatever ends one, every claim is accounted for."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from jobs.ledger import settle
from jobs.ledger.items import items_add
from jobs.models import Job, Lane, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, NewItem, Outcome
from jobs.states import JobStatus
from jobs.worker import runner, slice
from tests.helpers.factories import LANE, Gate, Probe, held_at, item, lane_id, lane_is_free, states, status_of
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
InThread = Callable[..., Side]


def test_a_slice_works_a_job_to_its_end(make_job: MakeJob, probe: Probe, sent: Any) -> None:
    job = make_job(40, status=JobStatus.QUEUED)
    sent.messages.clear()
    assert runner.slice_run(lane_id=lane_id()) == 40
    job.refresh_from_db()
    assert (job.status, job.result["counts"]) == ("completed", {"done": 40})
    assert job.started_at is not None
    assert len(set(probe.started)) == len(probe.started) == 40
    assert len(probe.completed) == 1
    assert lane_is_free()
    assert sent.messages == []


def test_what_is_found_on_the_way_is_worked_too(make_job: MakeJob, probe: Probe) -> None:
    async def work(job: JobRef, claim: Claim) -> Outcome:
        depth = claim.rank
        more = [NewItem(f"{claim.key}/{n}", LANE, depth + 1) for n in range(3)] if depth < 3 else []
        return kinds.done(claim, new_items=more)

    probe.do = work
    job = make_job(1)
    assert runner.slice_run(lane_id=lane_id()) == 1 + 3 + 9 + 27
    assert (status_of(job), states(job)) == ("completed", {"done": 40})


def test_a_slice_serves_all_jobs_of_its_lane(make_job: MakeJob, probe: Probe) -> None:
    probe.in_hand = 4
    jobs = [make_job([f"{name}{n}" for n in range(8)]) for name in "abc"]
    assert runner.slice_run(lane_id=lane_id()) == 24
    assert {status_of(job) for job in jobs} == {"completed"}
    assert {key[0] for key in probe.started[:12]} == set("abc")


def test_one_slice_at_a_time_serves_a_lane(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    gate = Gate()
    probe.do = held_at(gate, but=lambda claim: claim.rank > 0)
    job = make_job(16)
    with transaction.atomic():
        items_add(job.pk, [NewItem(f"later-{n}", LANE, 1) for n in range(4)])
    lane = lane_id()
    first = in_thread(runner.slice_run, lane_id=lane)
    probe.wait_started(16)
    assert runner.slice_run(lane_id=lane) == 0
    assert len(probe.started) == 16
    gate.open()
    assert first.result() == 20


def test_a_paused_lane_is_not_served(make_job: MakeJob, probe: Probe) -> None:
    make_job(2)
    Lane.objects.update(paused_at=timezone.now())
    assert runner.slice_run(lane_id=lane_id()) == 0
    assert runner.slice_run(lane_id=lane_id() + 1000) == 0
    assert probe.started == []


def test_an_exception_in_the_work_fails_its_item_alone(make_job: MakeJob, probe: Probe) -> None:
    async def work(job: JobRef, claim: Claim) -> Outcome:
        if claim.key == "item-1":
            raise LookupError("bad page")
        return kinds.done(claim)

    probe.do = work
    job = make_job(3)
    assert runner.slice_run(lane_id=lane_id()) == 3
    assert (status_of(job), states(job)) == ("completed", {"done": 2, "failed": 1})
    row = item(job, "item-1")
    assert (row.reason, row.result["detail"]) == ("internal", "Unexpected LookupError: bad page")


def test_an_exception_in_the_settle_fails_its_item_alone(make_job: MakeJob, probe: Probe) -> None:
    def settle_now(ref: JobRef, outcomes: list[Outcome]) -> list[Outcome]:
        if any(outcome.claim.key == "item-5" and outcome.state == "done" for outcome in outcomes):
            raise LookupError("cannot write")
        return outcomes

    probe.on_settle = settle_now
    job = make_job(20)
    assert runner.slice_run(lane_id=lane_id()) == 20
    assert (status_of(job), states(job)) == ("completed", {"done": 19, "failed": 1})
    assert item(job, "item-5").reason == "internal"


def test_when_a_settle_is_impossible_the_rest_is_given_back(
    make_job: MakeJob, probe: Probe, in_thread: InThread, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finished stays claimed until its lease runs out; nothing else waits for that."""
    monkeypatch.setattr(slice, "DATABASE_PATIENCE_SECONDS", 0.0)
    gate = Gate()
    probe.do = held_at(gate, but=lambda claim: claim.key == "item-0")

    def settle_now(ref: JobRef, outcomes: list[Outcome]) -> list[Outcome]:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(1)")
        return outcomes

    probe.on_settle = settle_now
    job = make_job(4)
    sent.messages.clear()
    side = in_thread(runner.slice_run, lane_id=lane_id())
    with pytest.raises(slice.OperationalError, match="statement timeout"):
        side.result()
    assert states(job) == {"claimed": 1, "pending": 3}
    assert item(job).state == "claimed"
    assert lane_is_free()
    assert sent.messages == [("run_slice", (lane_id(),), 5000)]  # later: not in a tight circle


def test_a_worker_that_cannot_be_opened_is_not_tried_in_a_tight_circle(
    make_job: MakeJob, probe: Probe, sent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(1)
    sent.messages.clear()
    monkeypatch.setattr(probe, "family", "another")
    with pytest.raises(KeyError, match="probe"):
        runner.slice_run(lane_id=lane_id())
    assert lane_is_free()
    assert sent.messages == [("run_slice", (lane_id(),), 5000)]


def test_work_that_cancels_itself_is_tried_again(make_job: MakeJob, probe: Probe) -> None:
    """Nobody cancelled the job: it must not be counted as cancelled."""

    async def work(job: JobRef, claim: Claim) -> Outcome:
        raise asyncio.CancelledError

    probe.do = work
    job = make_job(1)
    WorkItem.objects.update(attempts=settle.MAX_ATTEMPTS - 1)
    runner.slice_run(lane_id=lane_id())
    row = item(job)
    assert (row.state, row.reason) == ("failed", "internal")
