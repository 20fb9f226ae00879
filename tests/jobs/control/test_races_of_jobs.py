"""Races over a whole job: growth, completion and deletion against a cancel, a settle, a healer."""

from collections.abc import Callable

import pytest
from django.db import transaction

from jobs.control import end
from jobs.control.cancel import job_cancel
from jobs.control.pause import job_pause
from jobs.control.submit import job_submit
from jobs.errors import Conflict
from jobs.ledger import settle
from jobs.ledger.claims import items_release
from jobs.ledger.items import items_add
from jobs.ledger.moves import job_lock, job_start
from jobs.models import Job, JobEvent, Project, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import JobRef, NewItem
from jobs.states import JobStatus
from jobs.worker import healing
from tests.helpers.factories import LANE, Probe, claimed, item, states
from tests.helpers.threads import Side, blockers, right_after, until

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
InThread = Callable[..., Side]


def settle_done(job: Job, claims: list[kinds.Claim], **fields: object) -> settle.Settled:
    return settle.outcomes_settle(job.pk, [kinds.done(claim, **fields) for claim in claims])


def test_no_url_slips_in_behind_a_cancel(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(1)

    def grow() -> int:
        with transaction.atomic():
            return items_add(job.pk, [NewItem("late", LANE)])

    with transaction.atomic():
        job_cancel(job_id=job.pk)
        adding = in_thread(grow)
        adding.wait_blocked()
    assert adding.result() == 0
    assert states(job) == {"skipped": 1}


def test_a_url_added_first_is_skipped_by_the_cancel(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(1)
    with transaction.atomic():
        assert items_add(job.pk, [NewItem("early", LANE)]) == 1
        cancel = in_thread(job_cancel, job_id=job.pk)
        cancel.wait_blocked()
    assert cancel.result().skipped == 2
    assert states(job) == {"skipped": 2}


def chain(ref: JobRef) -> dict[str, str]:
    """Submit a child, as a crawl does that extracts."""
    child = job_submit(kind="probe", project_id=ref.project_id, payload={"keys": ["child"]}, parent_id=ref.id)
    return {"child": str(child)}


def test_completion_first_then_cancel(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    job = make_job(1)
    probe.on_complete = chain
    settle_done(job, claimed())
    with transaction.atomic():
        assert end.job_end_if_done(job.pk) is JobStatus.COMPLETED
        cancel = in_thread(job_cancel, job_id=job.pk)
        cancel.wait_blocked()
    with pytest.raises(Conflict, match="already finished with status completed") as refusal:
        cancel.result()
    assert (refusal.value.code, refusal.value.context) == ("already_finished", {"status": "completed"})
    job.refresh_from_db()
    assert (job.status, job.cancel_requested_at) == ("completed", None)
    assert job.result["child"] == str(job.children.get().pk)


def test_cancel_first_then_completion(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    """A cancelled crawl never spawns its extraction."""
    job = make_job(1)
    probe.on_complete = chain
    settle_done(job, claimed())
    with transaction.atomic():
        receipt = job_cancel(job_id=job.pk)
        ending = in_thread(end.job_end_if_done, job.pk)
        ending.wait_blocked()
    assert (receipt.status, receipt.changed, receipt.done) == (JobStatus.CANCELLED, True, 1)
    assert ending.result() is None
    job.refresh_from_db()
    assert (job.status, job.children.count(), probe.completed) == ("cancelled", 0, [])


def test_a_cancel_with_work_in_flight_spawns_nothing_either(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(2)
    probe.on_complete = chain
    claims = claimed()
    assert job_cancel(job_id=job.pk).in_flight == 2
    settle_done(job, claims)
    assert end.job_end_if_done(job.pk) is JobStatus.CANCELLED
    assert job.children.count() == 0
    assert states(job) == {"done": 2}


def test_two_ends_at_once_chain_exactly_one(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    job = make_job(1)
    probe.on_complete = chain
    settle_done(job, claimed())
    with transaction.atomic():
        assert end.job_end_if_done(job.pk) is JobStatus.COMPLETED
        other = in_thread(end.job_end_if_done, job.pk)
        other.wait_blocked()
    assert other.result() is None
    assert (job.children.count(), len(probe.completed)) == (1, 1)
    assert JobEvent.objects.filter(job=job, to_status="completed").count() == 1


def test_a_child_is_rolled_back_with_what_its_parent_could_not_complete(make_job: MakeJob, probe: Probe) -> None:
    job = make_job(1)

    def chain_then_fail(ref: JobRef) -> dict[str, str]:
        chain(ref)
        raise LookupError("after chaining")

    probe.on_complete = chain_then_fail
    settle_done(job, claimed())
    end.job_end_if_done(job.pk)
    job.refresh_from_db()
    assert (job.status, job.children.count()) == ("failed", 0)
    assert "LookupError: after chaining" in job.error


def test_two_last_workers_end_the_job_without_healing(make_job: MakeJob, in_thread: InThread) -> None:
    """Each settles while the other's item is still claimed; whoever looks last, in a new statement, ends it."""
    job = make_job(2)
    first, second = claimed()

    def settle_and_end(claim: kinds.Claim) -> JobStatus | None:
        settle_done(job, [claim])
        return end.job_end_if_done(job.pk)

    with transaction.atomic():
        settle_done(job, [first])
        other = in_thread(settle_and_end, second)
        other.wait_blocked()
    ends = [end.job_end_if_done(job.pk), other.result()]
    assert sorted(map(str, ends)) == ["None", "completed"]
    job.refresh_from_db()
    assert (job.status, job.result["counts"]) == ("completed", {"done": 2})


def test_an_end_that_waits_for_a_settle_sees_what_it_wrote(make_job: MakeJob, in_thread: InThread) -> None:
    """The question "is anything left?" is asked after the lock, not before."""
    job = make_job(1)
    claims = claimed()
    with transaction.atomic():
        settle_done(job, claims)
        ending = in_thread(end.job_end_if_done, job.pk)
        ending.wait_blocked()
    assert ending.result() is JobStatus.COMPLETED


def test_a_claim_between_two_statements_of_the_end_leaves_the_job_running(
    make_job: MakeJob, in_thread: InThread
) -> None:
    """Claims do not lock the job: an item asked for as claimed, then as pending, would be seen as neither."""
    job = make_job(1)
    with right_after("jobs_workitem", lambda: in_thread(claimed).result()):
        assert end.job_end_if_done(job.pk) is None
    assert states(job) == {"claimed": 1}


def test_a_release_between_two_statements_of_a_cancel_is_skipped_by_the_end(
    make_job: MakeJob, in_thread: InThread
) -> None:
    """The item was not pending when the cancel skipped, and is not claimed when it counts."""
    job = make_job(2)
    claims = claimed(1)
    with right_after("UPDATE jobs_workitem", lambda: in_thread(items_release, claims).result()):
        receipt = job_cancel(job_id=job.pk)
    assert (receipt.status, receipt.skipped, receipt.in_flight) == (JobStatus.CANCELLING, 1, 0)
    assert states(job) == {"pending": 1, "skipped": 1}
    assert end.job_end_if_done(job.pk) is JobStatus.CANCELLED
    assert states(job) == {"skipped": 2}


def test_a_release_between_two_statements_of_a_cancelled_end_leaves_nothing_open(
    make_job: MakeJob, in_thread: InThread
) -> None:
    job = make_job(1)
    claims = claimed()
    job_cancel(job_id=job.pk)
    with right_after("UPDATE jobs_workitem", lambda: in_thread(items_release, claims).result()):
        assert end.job_end_if_done(job.pk) is None
    assert end.job_end_if_done(job.pk) is JobStatus.CANCELLED
    assert states(job) == {"skipped": 1}


def test_a_release_in_the_midst_of_a_force_is_skipped_all_the_same(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(2)
    claims = claimed(1)
    with transaction.atomic():
        items_release(claims)
        force = in_thread(job_cancel, job_id=job.pk, force=True)
        force.wait_blocked()
    receipt = force.result()
    assert (receipt.status, receipt.skipped) == (JobStatus.CANCELLED, 2)
    assert states(job) == {"skipped": 2}


def test_a_release_between_two_statements_of_a_force_changes_nothing(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(2)
    claims = claimed(1)
    released: list[int] = []

    def release() -> None:
        side = in_thread(items_release, claims)
        until(lambda: side.is_over or blockers(side.pid), "the release waits or is over")
        released.append(1 if side.is_over and side.result() else 0)

    with right_after("UPDATE jobs_workitem", release):
        receipt = job_cancel(job_id=job.pk, force=True)
    assert (receipt.status, receipt.skipped, released) == (JobStatus.CANCELLED, 2, [0])
    assert states(job) == {"skipped": 2}


def test_an_end_that_waits_for_new_items_leaves_the_job_running(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(1)
    claims = claimed()
    with transaction.atomic():
        settle_done(job, claims, new_items=[NewItem("more", LANE)])
        ending = in_thread(end.job_end_if_done, job.pk)
        ending.wait_blocked()
    assert ending.result() is None
    assert states(job) == {"done": 1, "pending": 1}


def test_a_job_being_planned_never_looks_finished(project: Project, probe: Probe, in_thread: InThread) -> None:
    """While its first items are found (a transaction still open), a healer sees no job to end."""
    seen: list[healing.HealReceipt] = []

    def plan(ref: JobRef) -> None:
        healer = in_thread(healing.heal)
        seen.append(healer.result())
        with transaction.atomic():
            items_add(ref.id, [NewItem("first", LANE)])

    probe.on_populate = plan
    job_id = job_submit(kind="probe", project_id=project.pk, payload={})
    assert [(receipt.ran, receipt.ended) for receipt in seen] == [(True, 0)]
    job = Job.objects.get(pk=job_id)
    assert (job.status, states(job)) == ("queued", {"pending": 1})


def test_settle_against_deleting(make_job: MakeJob, probe: Probe, in_thread: InThread) -> None:
    """The deletion has been decided but not committed: the worker waits, then writes nothing anywhere."""
    job = make_job(1)
    claims = claimed()
    probe.on_settle = lambda ref, outcomes: [Project.objects.create(name="orphan") and o for o in outcomes]
    with transaction.atomic():
        assert job_lock(job.pk) is not None
        Job.objects.filter(pk=job.pk).update(status="deleting")
        late = in_thread(settle_done, job, claims, new_items=[NewItem("late", LANE)])
        late.wait_blocked()
    assert late.result().written == 0
    assert states(job) == {"claimed": 1}
    assert not Project.objects.filter(name="orphan").exists()


def test_deleting_waits_for_a_settle(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(1)
    claims = claimed()

    def delete() -> str:
        with transaction.atomic():
            locked = job_lock(job.pk)
            assert locked is not None
            return str(item(job).state)

    with transaction.atomic():
        settle_done(job, claims)
        deleting = in_thread(delete)
        deleting.wait_blocked()
    assert deleting.result() == "done"


def test_a_settle_of_a_job_that_is_gone_writes_nothing(make_job: MakeJob) -> None:
    job = make_job(1)
    claims = claimed()
    WorkItem.objects.all().delete()
    Job.objects.all().delete()
    assert settle_done(job, claims).written == 0
    assert end.job_end_if_done(job.pk) is None


def test_pause_against_start(make_job: MakeJob, in_thread: InThread) -> None:
    job = make_job(1, status=JobStatus.QUEUED)
    with transaction.atomic():
        job_pause(job_id=job.pk)
        start = in_thread(job_start, [job.pk])
        start.wait_blocked()
    assert start.result() == 0
    job.refresh_from_db()
    assert (job.status, job.started_at) == ("paused", None)
