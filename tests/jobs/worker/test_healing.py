"""Healing: what crashes, lost messages and lost leases left behind."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from jobs.control.cancel import job_cancel
from jobs.ledger import settle
from jobs.ledger.claims import items_claim, items_release
from jobs.ledger.expiry import leases_expire
from jobs.ledger.items import items_add
from jobs.models import Job, JobEvent, Lane, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import JobRef, NewItem
from jobs.states import JobStatus, Reason
from jobs.worker import healing
from tests.helpers.factories import LANE, Probe, claimed, item, lane_id, leases_run_out, states
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db
really_commits = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]


def past(seconds: float = 60.0) -> Any:
    return timezone.now() - timedelta(seconds=seconds)


def future(seconds: float = 60.0) -> Any:
    return timezone.now() + timedelta(seconds=seconds)


def test_an_expired_lease_returns_to_pending(make_job: MakeJob) -> None:
    job = make_job(2)
    claimed(1)
    leases_run_out(job)
    claimed(1)  # this one is alive
    receipt = healing.heal()
    assert (receipt.ran, receipt.leases_expired, receipt.workers_lost) == (True, 1, 0)
    row = item(job)
    assert (row.state, row.lost_leases, row.attempts, row.lease, row.lease_until) == ("pending", 1, 0, None, None)
    assert states(job) == {"claimed": 1, "pending": 1}
    assert JobEvent.objects.get(job=job).counts == {"returned": 1, "worker_lost": 0}


def test_the_third_lost_lease_is_the_last(make_job: MakeJob) -> None:
    job = make_job(1)
    for lost in (1, 2):
        items_claim(lane_id(), 5, lost=lost > 1)
        leases_run_out(job)
        assert healing.heal().leases_expired == 1
        assert item(job).lost_leases == lost
    items_claim(lane_id(), 5, lost=True)
    leases_run_out(job)
    receipt = healing.heal()
    assert (receipt.leases_expired, receipt.workers_lost, receipt.ended) == (0, 1, 1)
    row = item(job)
    assert (row.state, row.reason, row.lost_leases) == ("failed", "worker_lost", 3)
    job.refresh_from_db()
    assert (job.status, job.error) == ("failed", "Nothing succeeded: 1 worker_lost.")


def test_an_item_that_came_back_is_claimed_alone(make_job: MakeJob) -> None:
    job = make_job(3)
    claimed(2)
    leases_run_out(job)
    healing.heal()
    assert [claim.key for claim in claimed(10)] == ["item-2"]
    assert [claim.key for claim in items_claim(lane_id(), 10, lost=True)] == ["item-0"]


def test_pending_items_of_a_cancelling_job_are_skipped_and_the_job_ends(make_job: MakeJob) -> None:
    """A worker died in mid-cancel: its items come back, are skipped, and the job is cancelled."""
    job = make_job(4)
    claims = claimed(3)
    assert job_cancel(job_id=job.pk).status is JobStatus.CANCELLING
    settle.outcomes_settle(job.pk, [kinds.done(claims[0])])
    leases_run_out(job)
    receipt = healing.heal()
    assert (receipt.leases_expired, receipt.skipped, receipt.ended) == (2, 2, 1)
    job.refresh_from_db()
    assert (job.status, job.result["counts"]) == ("cancelled", {"done": 1, "skipped": 3})
    assert job.result["reasons"] == {"cancelled": 3}


def test_cancelling_with_nothing_in_flight_becomes_cancelled(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(status=JobStatus.CANCELLING)
    assert healing.heal().ended == 1
    job.refresh_from_db()
    assert (job.status, probe.completed) == ("cancelled", [])


def test_cancelling_with_work_in_flight_is_left(make_job: MakeJob) -> None:
    job = make_job(1)
    claimed()
    job_cancel(job_id=job.pk)
    assert healing.heal() == healing.HealReceipt(ran=True)
    job.refresh_from_db()
    assert job.status == "cancelling"


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.PAUSED])
def test_an_active_job_with_nothing_left_completes(make_job: MakeJob, probe: Probe, status: JobStatus) -> None:
    job = make_job(2)
    settle.outcomes_settle(
        job.pk, [kinds.done(claim) for claim in claimed(1)] + [kinds.skipped(claimed(1)[0], Reason.ROBOTS)]
    )
    Job.objects.filter(pk=job.pk).update(status=status)
    assert healing.heal().ended == 1
    job.refresh_from_db()
    assert (job.status, job.result["counts"]) == ("completed", {"done": 1, "skipped": 1})
    assert len(probe.completed) == 1
    assert job.completed_at is not None


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.PAUSED])
def test_a_job_with_something_left_goes_on(make_job: MakeJob, status: JobStatus) -> None:
    job = make_job(1, status=status)
    assert healing.heal().ended == 0
    job.refresh_from_db()
    assert job.status == status


def test_a_job_in_which_nothing_succeeded_has_failed(make_job: MakeJob) -> None:
    job = make_job(2)
    settle.outcomes_settle(job.pk, [kinds.failed(claim, Reason.DNS, detail="?") for claim in claimed()])
    assert healing.heal().ended == 1
    job.refresh_from_db()
    assert (job.status, job.error) == ("failed", "Nothing succeeded: 2 dns.")


def test_items_beyond_the_page_limit_are_counted_and_the_job_ends(make_job: MakeJob) -> None:
    job = make_job(5, page_limit=2)
    settle.outcomes_settle(job.pk, [kinds.done(claim) for claim in claimed(5)])
    assert healing.heal().ended == 1
    job.refresh_from_db()
    assert (job.status, job.result["counts"]) == ("completed", {"done": 2, "skipped": 3})
    assert job.result["reasons"] == {"limit": 3}


def test_healing_again_finds_nothing(make_job: MakeJob) -> None:
    job, cancelling = make_job(3), make_job(status=JobStatus.CANCELLING)
    claimed(2)
    leases_run_out(job)
    first = healing.heal()
    assert (first.leases_expired, first.ended) == (2, 1)
    events = JobEvent.objects.count()
    assert healing.heal() == healing.HealReceipt(ran=True)
    assert JobEvent.objects.count() == events
    cancelling.refresh_from_db()
    assert cancelling.status == "cancelled"


@really_commits
def test_one_healer_works_at_a_time(make_job: MakeJob, in_thread: Callable[..., Side]) -> None:
    job = make_job()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [healing.HEALER_LOCK])
        assert in_thread(healing.heal).result() == healing.HealReceipt(ran=False)
        job.refresh_from_db()
        assert job.status == "running"
        cursor.execute("SELECT pg_advisory_unlock(%s)", [healing.HEALER_LOCK])
    assert in_thread(healing.heal).result().ended == 1


@really_commits
def test_a_cancel_does_not_wait_for_a_healer_that_is_past_its_job(
    make_job: MakeJob, in_thread: Callable[..., Side]
) -> None:
    job = make_job(3)
    (claim,) = claimed(1)
    job_cancel(job_id=job.pk)
    items_release([claim])  # by a worker that then died
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [healing.HEALER_LOCK])
        assert in_thread(healing.heal).result() == healing.HealReceipt(ran=False, skipped=1, ended=1)
        cursor.execute("SELECT pg_advisory_unlock(%s)", [healing.HEALER_LOCK])
    job.refresh_from_db()
    assert (job.status, states(job)) == ("cancelled", {"skipped": 3})


@really_commits
def test_a_healer_leaves_no_lock_behind(make_job: MakeJob, probe: Probe, in_thread: Callable[..., Side]) -> None:
    make_job()

    def complete(ref: JobRef) -> dict[str, Any]:
        raise OperationalError("cannot end")

    probe.on_complete = complete
    with pytest.raises(ExceptionGroup):
        healing.heal()
    with pytest.raises(ExceptionGroup):  # and not "another healer is at work"
        in_thread(healing.heal).result()


@really_commits
def test_a_job_that_cannot_be_ended_keeps_no_other_from_healing(make_job: MakeJob, probe: Probe, sent: Any) -> None:
    sick, healthy, waiting = make_job(), make_job(), make_job(1)
    Lane.objects.update(woken_at=None)
    sent.messages.clear()

    def complete(ref: JobRef) -> dict[str, Any]:
        if ref.id == sick.pk:
            raise OperationalError("cannot end")
        return {}

    probe.on_complete = complete
    with pytest.raises(ExceptionGroup) as raised:
        healing.heal()
    assert [str(error) for error in raised.value.exceptions] == ["cannot end"]
    assert [Job.objects.get(pk=job.pk).status for job in (sick, healthy, waiting)] == [
        "running",
        "completed",
        "running",
    ]
    assert sent.messages == [("run_slice", (lane_id(),), None)]


@really_commits
def test_a_kind_that_cannot_complete_its_job_makes_it_fail_with_the_reason(make_job: MakeJob, probe: Probe) -> None:
    job = make_job()
    probe.on_complete = lambda ref: {}["missing"]
    assert healing.heal().ended == 1
    job.refresh_from_db()
    assert job.status == "failed"
    assert "completing the job failed: KeyError" in job.error
    assert job.result is not None


# Wake-ups


@really_commits
def test_submitting_wakes_each_lane_once(make_job: MakeJob, sent: Any) -> None:
    make_job(5)
    make_job(5)
    assert sent.messages == [("run_slice", (lane_id(),), None)]


@really_commits
def test_a_lost_wake_up_of_a_queued_job_is_sent_again(make_job: MakeJob, sent: Any) -> None:
    make_job(2, status=JobStatus.QUEUED)
    sent.messages.clear()  # the broker lost it
    assert healing.heal().woken == 0  # it may still be on its way
    Lane.objects.update(woken_at=past())
    assert healing.heal().woken == 1
    assert sent.messages == [("run_slice", (lane_id(),), None)]
    assert healing.heal().woken == 0


def lane_due(job: Job) -> None:
    Lane.objects.update(woken_at=None)


def lane_not_due(job: Job) -> None:
    WorkItem.objects.update(not_before=future())


def lane_paused(job: Job) -> None:
    Lane.objects.update(paused_at=past())


def lane_served(job: Job) -> None:
    Lane.objects.update(lease="11111111-1111-1111-1111-111111111111", lease_until=future())


def lane_lost(job: Job) -> None:
    Lane.objects.update(lease="11111111-1111-1111-1111-111111111111", lease_until=past())


def job_paused(job: Job) -> None:
    Job.objects.update(status="paused")


def job_claimed(job: Job) -> None:
    claimed()


@really_commits
@pytest.mark.parametrize(
    ("arrange", "woken"),
    [
        (lane_due, 1),
        (lane_lost, 1),
        (lane_not_due, 0),
        (lane_paused, 0),
        (lane_served, 0),
        (job_paused, 0),
        (job_claimed, 0),
    ],
)
def test_only_lanes_with_due_work_that_nobody_serves_are_woken(
    make_job: MakeJob, sent: Any, arrange: Callable[[Job], None], woken: int
) -> None:
    job = make_job(2)
    Lane.objects.update(woken_at=None)
    sent.messages.clear()
    arrange(job)
    assert healing.heal().woken == woken
    assert len(sent.messages) == woken


@really_commits
def test_each_lane_is_looked_at_by_itself(make_job: MakeJob, sent: Any) -> None:
    job = make_job(1)
    with transaction.atomic():
        items_add(job.pk, [NewItem("other", "probe:2")])
    WorkItem.objects.filter(lane__key=LANE).update(not_before=future())
    Lane.objects.update(woken_at=None)
    sent.messages.clear()
    assert healing.heal().woken == 1
    assert sent.messages == [("run_slice", (lane_id("probe:2"),), None)]


def test_all_leases_can_be_expired_when_no_worker_can_be_alive(make_job: MakeJob) -> None:
    job = make_job(2)
    claimed(lease_seconds=3600)
    lane_served(job)
    assert leases_expire() == (0, 0)
    assert leases_expire(all_of_them=True) == (2, 0)
    assert states(job) == {"pending": 2}
    assert Lane.objects.filter(lease=None, lease_until=None).count() == 1
