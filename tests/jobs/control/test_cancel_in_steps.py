"""Cancelling a job of more pending items than one step skips: here of two, in the product of 25,000."""

from collections.abc import Callable
from typing import Any

import pytest

from jobs import actors
from jobs.api import cancel as cancel_api
from jobs.control import end, removal, removal_work, retry
from jobs.control.cancel import job_cancel
from jobs.errors import Conflict
from jobs.ledger import settle
from jobs.ledger.claims import items_release
from jobs.ledger.counts import items_count
from jobs.models import Job, JobEvent
from jobs.registry import kinds
from jobs.staff import job_actions
from jobs.states import JobStatus
from jobs.worker import healing
from tests.helpers.factories import claimed, states, status_of

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
HEAL = ("heal", (), None)


@pytest.fixture(autouse=True)
def steps_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a step skip two items."""
    monkeypatch.setattr(end, "SKIPPED_AT_ONCE", 2)


def test_the_cancel_itself_skips_one_step_and_sends_healing_for_the_rest(make_job: MakeJob, sent: Any) -> None:
    job = make_job(7)
    sent.messages.clear()
    receipt = job_cancel(job_id=job.pk, actor="ada")
    assert (receipt.status, receipt.changed) == ("cancelling", True)
    assert (receipt.skipped, receipt.pending, receipt.in_flight) == (2, 5, 0)
    assert states(job) == {"skipped": 2, "pending": 5}
    assert sent.messages == [HEAL]
    assert claimed() == [], "a cancelled job is claimed from"
    assert cancel_api.cancel_message(receipt) == (
        "The job is being cancelled: 2 items skipped, 0 in flight being aborted, 5 more to be skipped."
    )

    actors.heal.fn()
    assert (status_of(job), states(job)) == ("cancelled", {"skipped": 7})
    job.refresh_from_db()
    assert job.result is not None
    assert (job.result["counts"], job.result["reasons"]) == ({"skipped": 7}, {"cancelled": 7})
    assert JobEvent.objects.get(job=job, to_status="cancelled").counts == job.result


def test_whoever_waits_for_the_end_is_told_of_all_that_was_skipped(make_job: MakeJob) -> None:
    job = make_job(7)
    receipt = job_cancel(job_id=job.pk)
    healing.heal()
    read = cancel_api.cancel_read(receipt)
    assert (read.status, read.skipped, read.pending) == ("cancelled", 7, 0)
    assert cancel_api.cancel_message(read) == "The job is cancelled, with 7 items skipped."


def test_a_cleanup_meanwhile_says_what_it_waits_for(make_job: MakeJob) -> None:
    job = make_job(7)
    job_cancel(job_id=job.pk)
    with pytest.raises(Conflict, match="with 0 items in flight and 5 more to be skipped; it can be cleaned up as soon"):
        removal.job_cleanup(job_id=job.pk)


def test_the_admin_says_how_many_are_left(make_job: MakeJob) -> None:
    job = make_job(7)
    receipt = job_cancel(job_id=job.pk)
    assert job_actions._cancelled([receipt]) == (
        "1 job; 2 items skipped, 5 more being skipped, 0 in flight, 0 already done, 0 already failed."
    )


def test_each_step_is_committed_before_the_next(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(7)
    job_cancel(job_id=job.pk)
    step, seen = end._cancelling_skip, []

    def counted_before(job_id: Any) -> int:
        seen.append(states(job).get("pending", 0))
        return step(job_id)

    monkeypatch.setattr(end, "_cancelling_skip", counted_before)
    assert end.cancelling_skip(job.pk) == 5
    assert seen == [5, 3, 1, 0]


def test_a_step_takes_one_of_exactly_its_size_whole(make_job: MakeJob, sent: Any) -> None:
    job = make_job(2)
    sent.messages.clear()
    receipt = job_cancel(job_id=job.pk)
    assert (receipt.status, receipt.skipped, receipt.pending) == ("cancelled", 2, 0)
    assert sent.messages == []


def test_the_workers_finish_in_between_and_what_they_give_back_is_skipped(make_job: MakeJob) -> None:
    job = make_job(7)
    kept, returned = claimed(2)
    assert job_cancel(job_id=job.pk).in_flight == 2
    assert settle.outcomes_settle(job.pk, [kinds.done(kept)]).written == 1
    items_release([returned])
    assert end.job_end_if_done(job.pk) is None, "ended with pending items"
    assert status_of(job) == "cancelling"
    healing.heal()
    assert (status_of(job), states(job)) == ("cancelled", {"done": 1, "skipped": 6})


def test_the_last_worker_out_skips_a_step_as_well(make_job: MakeJob) -> None:
    job = make_job(5)
    (claim,) = claimed(1)
    job_cancel(job_id=job.pk)
    assert settle.outcomes_settle(job.pk, [kinds.done(claim)]).written == 1
    assert end.job_end_if_done(job.pk) == "cancelled"
    assert states(job) == {"done": 1, "skipped": 4}


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.PAUSED])
def test_a_job_that_no_worker_serves_is_ended_by_healing(make_job: MakeJob, sent: Any, status: JobStatus) -> None:
    job = make_job(7, status=status)
    sent.messages.clear()
    receipt = job_cancel(job_id=job.pk)
    assert (receipt.status, receipt.skipped, receipt.pending) == ("cancelling", 2, 5)
    assert (claimed(), sent.messages) == ([], [HEAL])
    actors.heal.fn()
    assert (status_of(job), states(job)) == ("cancelled", {"skipped": 7})
    changes = JobEvent.objects.filter(job=job).order_by("pk").values_list("from_status", "to_status")
    assert list(changes) == [(status.value, "cancelling"), ("cancelling", "cancelled")]


def test_a_force_revokes_every_lease_at_once_however_much_is_pending(make_job: MakeJob, sent: Any) -> None:
    job = make_job(9)
    late = claimed(3)
    sent.messages.clear()
    receipt = job_cancel(job_id=job.pk, force=True)
    assert (receipt.status, receipt.skipped, receipt.in_flight, receipt.pending) == ("cancelling", 5, 0, 4)
    assert sent.messages == [HEAL]
    assert settle.outcomes_settle(job.pk, [kinds.done(claim) for claim in late]).written == 0

    again = job_cancel(job_id=job.pk, force=True)
    assert (again.status, again.skipped, again.pending) == ("cancelling", 2, 2)
    assert job_cancel(job_id=job.pk, force=True).status == "cancelled"
    assert states(job) == {"skipped": 9}


def test_a_page_limit_skips_all_that_is_beyond_it(make_job: MakeJob) -> None:
    job = make_job(8, page_limit=1)
    (claim,) = claimed(1)
    assert settle.outcomes_settle(job.pk, [kinds.done(claim)]).written == 1
    assert end.job_end_if_done(job.pk) == "completed"
    assert items_count(job.pk).reasons == {"limit": 7}


def test_a_delete_with_cleanup_waits_for_the_last_step(make_job: MakeJob) -> None:
    job = make_job(7)
    removal.job_delete(job_id=job.pk, cleanup=True)
    assert status_of(job) == "cancelling"
    healing.heal()
    assert status_of(job) == "cancelled"
    healing.heal()  # the finisher takes it from there
    assert removal_work.removal_finish(job.pk)
    assert not Job.objects.filter(pk=job.pk).exists()


def test_a_retry_after_it_brings_all_of_them_back(make_job: MakeJob) -> None:
    job = make_job(7)
    job_cancel(job_id=job.pk)
    healing.heal()
    assert retry.job_retry(job_id=job.pk).requeued == 7
    assert (status_of(job), states(job)) == ("queued", {"pending": 7})
