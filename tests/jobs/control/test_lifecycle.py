"""Submit, cancel, force, pause and resume, with the reply for every status."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.control.cancel import job_cancel
from jobs.control.pause import job_pause, job_resume
from jobs.control.submit import job_submit
from jobs.errors import Conflict, Invalid, NotFound
from jobs.ledger import settle
from jobs.ledger.counts import items_count
from jobs.models import Job, JobEvent, Lane, Project
from jobs.registry import kinds
from jobs.states import JobStatus
from tests.helpers.factories import LANE, Probe, claimed, lane_id, states

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]


def submit(project: Project, *keys: str, **fields: Any) -> Job:
    job_id = job_submit(kind="probe", project_id=project.pk, payload={"keys": list(keys)}, **fields)
    return Job.objects.get(pk=job_id)


@pytest.mark.django_db(transaction=True)
def test_a_job_comes_with_its_first_items_and_wakes_their_lanes(project: Project, probe: Probe, sent: Any) -> None:
    job = submit(project, "a", "b", label="x" * 400, page_limit=7, actor="ada")
    assert (job.status, states(job), job.page_limit, len(job.label)) == ("queued", {"pending": 2}, 7, 300)
    assert (job.started_at, job.completed_at, job.result) == (None, None, None)
    event = JobEvent.objects.get(job=job)
    assert (event.action, event.actor, event.to_status) == ("submit", "ada", "queued")
    assert sent.messages == [("run_slice", (lane_id(),), None)]
    assert Lane.objects.get(key=LANE).woken_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_job_that_cannot_be_planned_leaves_nothing(project: Project, probe: Probe, sent: Any) -> None:
    def plan(ref: kinds.JobRef) -> None:
        raise LookupError("no plan")

    probe.on_populate = plan
    with pytest.raises(LookupError, match="no plan"):
        submit(project, "a")
    assert (Job.objects.count(), Lane.objects.count(), JobEvent.objects.count(), sent.messages) == (0, 0, 0, [])


def test_a_job_with_nothing_to_do_is_refused(project: Project, probe: Probe) -> None:
    with pytest.raises(Invalid, match="nothing to do"):
        submit(project)
    assert not Job.objects.exists()


def test_unknown_kinds_and_projects_are_refused_with_what_to_do(project: Project, probe: Probe) -> None:
    with pytest.raises(Invalid, match=r"no job kind 'dig'.*probe"):
        job_submit(kind="dig", project_id=project.pk, payload={})
    with pytest.raises(NotFound, match="List the projects"):
        job_submit(kind="probe", project_id=uuid4(), payload={})
    Project.objects.update(is_active=False)
    with pytest.raises(NotFound, match="was deleted"):
        submit(project, "a")


# DESIGN's table, for the columns that live here: (status, in flight) → the reply.
CANCEL_REPLIES = [
    ("queued", 0, "cancelled", True),
    ("running", 0, "cancelled", True),
    ("running", 2, "cancelling", True),
    ("paused", 0, "cancelled", True),
    ("paused", 2, "cancelling", True),
    ("cancelling", 2, "cancelling", False),
    ("cancelled", 0, "cancelled", False),
    ("completed", 0, "already_finished", False),
    ("failed", 0, "already_finished", False),
    ("deleting", 0, "deleting", False),
]


def job_at(make_job: MakeJob, status: str, in_flight: int) -> Job:
    """Return a job with three items, `in_flight` of them claimed, then put to `status`."""
    job = make_job(3)
    if in_flight:
        claimed(in_flight)
    fields: dict[str, Any] = {"started_at": None} if status == "queued" else {"started_at": timezone.now()}
    if status == "cancelling":
        fields["cancel_requested_at"] = timezone.now()
    if status in ("cancelled", "completed", "failed"):
        fields |= {"completed_at": timezone.now(), "result": {}}
    Job.objects.filter(pk=job.pk).update(status=status, **fields)
    return job


@pytest.mark.parametrize(("status", "in_flight", "reply", "changed"), CANCEL_REPLIES)
def test_cancel_replies(make_job: MakeJob, status: str, in_flight: int, reply: str, changed: bool) -> None:
    job = job_at(make_job, status, in_flight)
    if reply == "already_finished":
        with pytest.raises(Conflict, match="Clean it up or delete it") as refusal:
            job_cancel(job_id=job.pk)
        assert (refusal.value.code, refusal.value.context["status"]) == (reply, status)
        return
    receipt = job_cancel(job_id=job.pk, actor="ada", reason="wrong site")
    assert (receipt.status, receipt.changed, receipt.in_flight) == (reply, changed, in_flight)
    assert receipt.skipped == (3 - in_flight if changed else 0)
    job.refresh_from_db()
    assert job.status == reply
    if changed:
        assert (job.cancel_requested_by, job.cancel_reason) == ("ada", "wrong site")
        assert job.cancel_requested_at is not None
        event = JobEvent.objects.get(job=job)
        assert (event.actor, event.reason, event.from_status, event.to_status) == ("ada", "wrong site", status, reply)
        assert states(job).get("skipped", 0) == 3 - in_flight
    if reply == "cancelled" and changed:
        assert job.result["counts"] == {"skipped": 3}
        assert job.completed_at is not None


@pytest.mark.parametrize(("status", "in_flight"), [(row[0], row[1]) for row in CANCEL_REPLIES[:6]])
def test_force_cancels_now(make_job: MakeJob, status: str, in_flight: int) -> None:
    job = job_at(make_job, status, in_flight)
    receipt = job_cancel(job_id=job.pk, force=True)
    assert (receipt.status, receipt.changed, receipt.skipped, receipt.in_flight) == ("cancelled", True, 3, 0)
    job.refresh_from_db()
    assert (job.status, job.result["counts"]) == ("cancelled", {"skipped": 3})


def test_what_was_finished_before_a_cancel_is_kept(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(4)
    settle.outcomes_settle(job.pk, [kinds.done(claim) for claim in claimed(2)])
    receipt = job_cancel(job_id=job.pk)
    assert (receipt.status, receipt.done, receipt.skipped) == (JobStatus.CANCELLED, 2, 2)
    job.refresh_from_db()
    assert job.result["counts"] == {"done": 2, "skipped": 2}
    assert probe.completed == []


PAUSE_REPLIES = {"queued": True, "running": True, "paused": False}


@pytest.mark.parametrize("status", JobStatus)
def test_pause_replies(make_job: MakeJob, status: JobStatus) -> None:
    job = make_job(1, status=status)
    if status in PAUSE_REPLIES:
        receipt = job_pause(job_id=job.pk)
        assert (receipt.status, receipt.changed) == ("paused", PAUSE_REPLIES[status])
        job.refresh_from_db()
        assert job.status == "paused"
    else:
        with pytest.raises(Conflict, match=f"this one is {status}") as refusal:
            job_pause(job_id=job.pk)
        assert refusal.value.code == "not_pausable"


@pytest.mark.parametrize("status", JobStatus)
def test_resume_replies(make_job: MakeJob, status: JobStatus) -> None:
    job = make_job(1, status=status)
    if status in ("queued", "running", "paused"):
        receipt = job_resume(job_id=job.pk)
        expected = "running" if status == "paused" else status
        assert (receipt.status, receipt.changed) == (expected, status == "paused")
    else:
        with pytest.raises(Conflict, match=f"this one is {status}") as refusal:
            job_resume(job_id=job.pk)
        assert refusal.value.code == "not_resumable"


def test_a_job_paused_before_it_began_is_queued_again(make_job: MakeJob) -> None:
    job = make_job(1, status=JobStatus.QUEUED)
    job_pause(job_id=job.pk)
    assert job_resume(job_id=job.pk).status is JobStatus.QUEUED


@pytest.mark.django_db(transaction=True)
def test_a_resumed_job_wakes_its_lanes(make_job: MakeJob, sent: Any) -> None:
    job = make_job(1)
    job_pause(job_id=job.pk)
    Lane.objects.update(woken_at=None)
    sent.messages.clear()
    assert claimed() == []
    job_resume(job_id=job.pk)
    assert sent.messages == [("run_slice", (lane_id(),), None)]
    assert len(claimed()) == 1


@pytest.mark.parametrize("action", [job_cancel, job_pause, job_resume])
def test_an_unknown_job_is_not_found(db: None, action: Callable[..., Any]) -> None:
    with pytest.raises(NotFound, match="list the jobs to find the right id"):
        action(job_id=uuid4())


def test_a_paused_job_with_its_last_item_settled_completes(make_job: MakeJob) -> None:
    from jobs.control import end

    job = make_job(1)
    claims = claimed()
    job_pause(job_id=job.pk)
    settle.outcomes_settle(job.pk, [kinds.done(claim) for claim in claims])
    assert end.job_end_if_done(job.pk) is JobStatus.COMPLETED
    assert items_count(job.pk).states == {"done": 1}
