"""Every action on a job in every situation, through the services: the table itself, and how its refusals read."""

import re
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone

from jobs.control import removal
from jobs.control.removal import RemovalReceipt
from jobs.errors import Conflict
from jobs.models import Job, JobEvent, WorkItem
from jobs.registry import owners
from jobs.states import JobStatus
from tests.helpers.factories import states
from tests.helpers.state_matrix import (
    ACTIONS,
    CELLS,
    NEXT_STEPS,
    SERVICES,
    SITUATIONS,
    MakeJob,
    expected,
    frozen,
    job_in,
    status_in,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_action_in_every_situation(
    make_job: MakeJob, situation: str, action: str, django_capture_on_commit_callbacks: Any, sent: Any
) -> None:
    job, told = job_in(make_job, situation), expected(situation, action)
    before = frozen(job)
    sent.messages.clear()
    receipt = None
    with django_capture_on_commit_callbacks(execute=True):
        if told.is_refused:
            with pytest.raises(Conflict) as refusal:
                SERVICES[action](job_id=job.pk, actor="ada", reason="because")
            assert (refusal.value.code, refusal.value.context["status"]) == (told.code, told.status)
            assert re.search(NEXT_STEPS[told.code], refusal.value.detail)
        else:
            receipt = SERVICES[action](job_id=job.pk, actor="ada", reason="because")
    assert (frozen(job) == before) == told.is_repeat
    job.refresh_from_db()
    assert job.status == told.status
    assert {name for name, *_ in sent.messages} == messages_of(situation, action)
    if receipt is not None:
        check_receipt(job, situation, action, receipt)
    if not told.is_repeat:
        event = JobEvent.objects.filter(job=job).order_by("id").last()
        assert (event.actor, event.reason, event.to_status) == ("ada", "because", told.status)


def messages_of(situation: str, action: str) -> set[str]:
    """Return the actors that the call sends for: each of them may be lost, and is sent again by a repetition."""
    told, cell = expected(situation, action), CELLS[situation, action]
    if situation == "cancelling" and (cell == "=cancelling" or action == "delete_cleanup"):
        return {"heal"}  # which ends the job if the worker that had to is dead
    if cell in ("begins", "joins"):
        return set() if told.status is JobStatus.CANCELLING else {"finish_removal"}
    return {"run_slice"} if action in ("retry", "resume") and told.changed else set()


def check_receipt(job: Job, situation: str, action: str, receipt: Any) -> None:
    """Compare the receipt and the row with the table."""
    told, cell = expected(situation, action), CELLS[situation, action]
    if isinstance(receipt, RemovalReceipt):
        is_over = cell == "zeros"
        assert (receipt.changed, receipt.finished, receipt.job_deleted) == (told.changed, is_over, False)
        assert not is_over or receipt.removal == owners.nothing_removed()
        wants_deletion = action != "cleanup" or situation == "deleting"
        assert (job.delete_requested_at is not None) == wants_deletion
        wants_cleanup = action != "delete" or "clean" in situation
        assert situation == "deleting" or (job.cleanup_requested_at is not None) == wants_cleanup
        return
    assert receipt.status == told.status
    if action == "retry":
        assert receipt.requeued == states(job)["pending"] == (2 if situation == "cancelled" else 1)
        assert (job.result, job.completed_at, job.cancel_requested_at, job.started_at) == (None, None, None, None)
        return
    assert receipt.changed == told.changed
    if action in ("cancel", "force"):
        items = Counter(WorkItem.objects.filter(job=job).values_list("state", flat=True))
        numbers = receipt.in_flight, receipt.done, receipt.failed
        assert numbers == (items["claimed"], items["done"], items["failed"])
        assert receipt.skipped == (items["skipped"] if told.changed else 0)


@pytest.mark.parametrize("action", ["cancel", "force"])
def test_a_cancel_says_exact_numbers(make_job: MakeJob, action: str) -> None:
    job = job_in(make_job, "running_busy")
    WorkItem.objects.filter(job=job, key="item-3").update(state="done", finished_at=timezone.now())
    receipt = SERVICES[action](job_id=job.pk)
    numbers = (receipt.skipped, receipt.in_flight, receipt.done, receipt.failed)
    assert numbers == ((1, 2, 1, 0) if action == "cancel" else (3, 0, 1, 0))


def test_a_cancelling_job_says_since_when_how_many_are_in_flight_and_when_it_can_be_cleaned(make_job: MakeJob) -> None:
    job = job_in(make_job, "cancelling")
    since = timezone.datetime.fromisoformat("2026-03-01T14:02:03+00:00")
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=since)
    with pytest.raises(Conflict) as refusal:
        removal.job_cleanup(job_id=job.pk)
    assert refusal.value.detail == (
        "The job has been cancelling since 2026-03-01 14:02:03 UTC with 2 items in flight and 2 more to be skipped; it"
        " can be cleaned up as soon as its status is cancelled, in a few seconds. Cancel it with force=true to end it"
        " now."
    )


def test_the_refusal_to_delete_an_active_job_names_the_other_way(make_job: MakeJob) -> None:
    job = job_in(make_job, "running")
    with pytest.raises(Conflict, match=r"cancel it or let it finish.*cleanup=true, which cancels it first"):
        removal.job_delete(job_id=job.pk)


def test_the_table_has_every_status_and_only_known_words() -> None:
    assert {status_in(situation) for situation in SITUATIONS} == set(JobStatus)
    known = {*NEXT_STEPS, "begins", "joins", "zeros", *JobStatus, *(f"={status}" for status in JobStatus)}
    assert set(CELLS.values()) <= known
    assert set(NEXT_STEPS) <= set(CELLS.values())
