"""Retry: which items come back, as new, and the job with them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.control import removal, retry
from jobs.control.cancel import job_cancel
from jobs.errors import Conflict, Invalid, NotFound
from jobs.ledger import settle
from jobs.models import Job, JobEvent, Lane, WorkItem, new_id
from jobs.registry import kinds
from jobs.states import JobStatus, Reason
from jobs.worker import runner
from tests.helpers.factories import Probe, claimed, item, lane_id, states

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]


def ended(make_job: MakeJob, status: JobStatus = JobStatus.COMPLETED, **ends: str) -> Job:
    """Return a finished job with one item per name, ended as said: `done`, or `failed:timeout`."""
    job = make_job(list(ends))
    for key, end in ends.items():
        state, _, reason = end.partition(":")
        WorkItem.objects.filter(job=job, key=key).update(state=state, reason=reason, finished_at=timezone.now())
    Job.objects.filter(pk=job.pk).update(status=status.value, completed_at=timezone.now(), result={"counts": {}})
    job.refresh_from_db()
    return job


def by_key(job: Job) -> dict[str, str]:
    return dict(WorkItem.objects.filter(job=job).values_list("key", "state"))


EVERYTHING = {"a": "done", "b": "failed:timeout", "c": "skipped:cancelled", "d": "skipped:robots"}


@pytest.mark.parametrize(("status", "back"), [("cancelled", {"b", "c"}), ("completed", {"b"}), ("failed", {"b"})])
def test_what_comes_back(make_job: MakeJob, status: str, back: set[str]) -> None:
    job = ended(make_job, JobStatus(status), **EVERYTHING)
    receipt = retry.job_retry(job_id=job.pk)
    assert (receipt.job_id, receipt.status, receipt.requeued) == (job.pk, JobStatus.QUEUED, len(back))
    assert {key for key, state in by_key(job).items() if state == "pending"} == back


def test_the_items_are_as_new(make_job: MakeJob) -> None:
    job = ended(make_job, a="failed:worker_lost")
    later = timezone.now() + timedelta(hours=1)
    WorkItem.objects.update(attempts=3, lost_leases=3, waited_seconds=900, not_before=later)
    retry.job_retry(job_id=job.pk)
    row = item(job, "a")
    assert (row.state, row.reason, row.attempts, row.lost_leases, row.waited_seconds) == ("pending", "", 0, 0, 0)
    assert (row.not_before, row.finished_at, row.lease) == (None, None, None)


def test_the_job_is_as_new_and_its_history_goes_on(make_job: MakeJob) -> None:
    job = make_job(2)
    job_cancel(job_id=job.pk, actor="ada", reason="too early")
    Job.objects.filter(pk=job.pk).update(error="gone wrong")
    retry.job_retry(job_id=job.pk, actor="bob", reason="now it is time")
    job.refresh_from_db()
    assert (job.status, job.started_at, job.completed_at, job.result, job.error) == ("queued", None, None, None, "")
    assert (job.cancel_requested_at, job.cancel_requested_by, job.cancel_reason) == (None, "", "")
    event = JobEvent.objects.filter(job=job).order_by("id").last()
    assert (event.action, event.actor, event.reason) == ("retry", "bob", "now it is time")
    assert (event.from_status, event.to_status, event.counts) == ("cancelled", "queued", {"requeued": 2})


@pytest.mark.parametrize(
    ("chosen", "back"),
    [
        ({"reasons": ["timeout"]}, {"a", "b"}),
        ({"reasons": ["timeout", "dns"]}, {"a", "b", "c"}),
        ({"hosts": ["two.test"]}, {"b", "c"}),
        ({"hosts": ["two.test"], "reasons": ["timeout"]}, {"b"}),
    ],
)
def test_only_what_was_chosen_comes_back(make_job: MakeJob, chosen: dict[str, list[str]], back: set[str]) -> None:
    job = ended(make_job, a="failed:timeout", b="failed:timeout", c="failed:dns")
    two = Lane.objects.create(key="host:two.test")
    WorkItem.objects.filter(job=job, key__in=["b", "c"]).update(lane=two)
    assert retry.job_retry(job_id=job.pk, **chosen).requeued == len(back)
    assert {key for key, state in by_key(job).items() if state == "pending"} == back


def test_what_nothing_fits_is_refused_and_changes_nothing(make_job: MakeJob) -> None:
    job = ended(make_job, a="failed:timeout")
    with pytest.raises(Conflict, match=r"none failed for these reasons or hosts.*Start a new job") as refusal:
        retry.job_retry(job_id=job.pk, reasons=["dns"])
    assert refusal.value.code == "nothing_to_retry"
    job.refresh_from_db()
    assert (job.status, by_key(job)) == ("completed", {"a": "failed"})


def test_an_unknown_reason_is_refused_with_the_known_ones(make_job: MakeJob) -> None:
    job = ended(make_job, a="failed:timeout")
    with pytest.raises(Invalid, match="Unknown reason: weather") as refusal:
        retry.job_retry(job_id=job.pk, reasons=["weather"])
    assert all(reason in refusal.value.detail for reason in Reason)


def test_an_unknown_job_is_not_found(db: None) -> None:
    with pytest.raises(NotFound, match="list the jobs"):
        retry.job_retry(job_id=new_id())


def test_a_job_that_was_cleaned_up_is_not_retried(make_job: MakeJob) -> None:
    job = ended(make_job, a="failed:timeout")
    removal.job_cleanup(job_id=job.pk)
    with pytest.raises(Conflict) as refusal:
        retry.job_retry(job_id=job.pk)
    assert refusal.value.code == "cleanup_running"
    Job.objects.update(cleaned_at=timezone.now())
    with pytest.raises(Conflict) as refusal:
        retry.job_retry(job_id=job.pk)
    assert (refusal.value.code, by_key(job)) == ("no_artifacts", {"a": "failed"})


@pytest.mark.django_db(transaction=True)
def test_a_retried_job_is_woken_and_runs_to_its_end(make_job: MakeJob, probe: Probe, sent: Any) -> None:
    job = make_job(3)
    settle.outcomes_settle(job.pk, [kinds.done(claim) for claim in claimed(1)])
    job_cancel(job_id=job.pk)
    Lane.objects.update(woken_at=None)
    sent.messages.clear()
    assert retry.job_retry(job_id=job.pk).requeued == 2
    assert sent.messages == [("run_slice", (lane_id(),), None)]
    assert runner.slice_run(lane_id=lane_id()) == 2
    job.refresh_from_db()
    assert (job.status, states(job), job.result["counts"]) == ("completed", {"done": 3}, {"done": 3})
