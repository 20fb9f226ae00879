"""Every action on a job in every situation, through the services and through the commands.

`TABLE` is the contract; the action table of `docs/state-machine.md` is compared with it.
"""

import json
import re
import time
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from jobs import lifecycle, removal, retrying
from jobs.errors import Conflict
from jobs.models import Job, JobEvent, WorkItem
from jobs.states import ACTIVE_JOB, JobStatus
from tests.factories import claimed, states, status_fields

pytestmark = pytest.mark.django_db
MakeJob = Callable[..., Job]

# A status: the job then stands there, moved by this call. With "=": it stands there, as before. begins, joins,
# zeros: of a removal; it was begun, one is under way, there was nothing left. All others are codes of refusals.
TABLE = """
    situation            cancel           force            cleanup      delete     delete_cleanup retry            pause        resume
    queued               cancelled        cancelled        job_active   job_active begins         job_active       paused       =queued
    running              cancelled        cancelled        job_active   job_active begins         job_active       paused       =running
    running_busy         cancelling       cancelled        job_active   job_active begins         job_active       paused       =running
    paused               cancelled        cancelled        job_active   job_active begins         job_active       =paused      running
    paused_busy          cancelling       cancelled        job_active   job_active begins         job_active       =paused      running
    cancelling           =cancelling      cancelled        job_active   job_active begins         job_active       not_pausable not_resumable
    cancelled            =cancelled       =cancelled       begins       begins     begins         queued           not_pausable not_resumable
    completed            already_finished already_finished begins       begins     begins         queued           not_pausable not_resumable
    completed_unfailing  already_finished already_finished begins       begins     begins         nothing_to_retry not_pausable not_resumable
    failed               already_finished already_finished begins       begins     begins         queued           not_pausable not_resumable
    cancelled_cleaning   =cancelled       =cancelled       joins        begins     begins         cleanup_running  not_pausable not_resumable
    completed_cleaning   already_finished already_finished joins        begins     begins         cleanup_running  not_pausable not_resumable
    failed_cleaning      already_finished already_finished joins        begins     begins         cleanup_running  not_pausable not_resumable
    cancelled_cleaned    =cancelled       =cancelled       zeros        begins     begins         no_artifacts     not_pausable not_resumable
    completed_cleaned    already_finished already_finished zeros        begins     begins         no_artifacts     not_pausable not_resumable
    failed_cleaned       already_finished already_finished zeros        begins     begins         no_artifacts     not_pausable not_resumable
    deleting             =deleting        =deleting        job_deleting joins      joins          job_deleting     not_pausable not_resumable
"""  # noqa: E501  a table
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(row[0], action, cell) for row in ROWS for action, cell in zip(HEAD[1:], row[1:], strict=True)]

ACTIONS: dict[str, Callable[..., Any]] = {
    "cancel": lifecycle.job_cancel,
    "force": lambda **given: lifecycle.job_cancel(force=True, **given),
    "cleanup": removal.job_cleanup,
    "delete": removal.job_delete,
    "delete_cleanup": lambda **given: removal.job_delete(cleanup=True, **given),
    "retry": retrying.job_retry,
    "pause": lifecycle.job_pause,
    "resume": lifecycle.job_resume,
}
COMMANDS = {
    "cancel": ["cancel"],
    "force": ["cancel", "--force"],
    "cleanup": ["cleanup", "--detach"],
    "delete": ["delete", "--detach"],
    "delete_cleanup": ["delete", "--detach", "--cleanup"],
    "retry": ["retry", "--detach"],
    "pause": ["pause"],
    "resume": ["resume"],
}
#: code → what the detail tells people to do.
NEXT_STEPS = {
    "job_active": r"(cancel it or let it finish, then it can be|as soon as its status is cancelled, in a few seconds)",
    "already_finished": "Clean it up or delete it",
    "job_deleting": "(nothing more is needed|start a new one)",
    "cleanup_running": "wait for it to end, then start a new job",
    "no_artifacts": "start a new job",
    "nothing_to_retry": "Start a new job",
    "not_pausable": "([Rr]etry it|Start a new job)",
    "not_resumable": "([Rr]etry it|Start a new job)",
}


def status_in(situation: str) -> JobStatus:
    """Return the status of a job in the situation."""
    return JobStatus(situation.partition("_")[0])


def job_in(make_job: MakeJob, situation: str) -> Job:
    """Return a job with four items in the situation; a finished one has one item failed and one skipped."""
    job = make_job(4)
    status, _, more = situation.partition("_")
    if more == "busy" or status == "cancelling":
        claimed(2)
    fields = status_fields(JobStatus(status))
    if status == "queued":
        fields["started_at"] = None
    if JobStatus(status) not in ACTIVE_JOB:
        ends = {"state": "done"}, {"state": "failed", "reason": "timeout"}, {"state": "skipped", "reason": "cancelled"}
        if more == "unfailing":
            ends = {"state": "done"}, {"state": "done"}, {"state": "skipped", "reason": "robots"}
        for number, end in enumerate(ends):
            WorkItem.objects.filter(job=job, key=f"item-{number}").update(finished_at=timezone.now(), **end)
        WorkItem.objects.filter(job=job, state="pending").update(state="done", finished_at=timezone.now())
    if more in ("cleaning", "cleaned"):
        found = removal.empty_removal() | {"sources": {"found": 2, "deleted": 2, "kept_shared": 0}}
        fields |= {"cleanup_requested_at": timezone.now(), "removal": found}
        fields |= {"cleaned_at": timezone.now()} if more == "cleaned" else {}
    if status == "deleting":
        fields |= {"delete_requested_at": timezone.now(), "completed_at": timezone.now(), "result": {}}
    Job.objects.filter(pk=job.pk).update(**fields)
    job.refresh_from_db()
    return job


def frozen(job: Job) -> Any:
    """Return everything about the job that an action could change."""
    return Job.objects.filter(pk=job.pk).values().get(), states(job), JobEvent.objects.filter(job=job).count()


def after_delete(situation: str) -> str:
    """Return where a job stands once its deletion has begun: one with work in flight is cancelled first."""
    return "cancelling" if situation in ("running_busy", "paused_busy", "cancelling") else "deleting"


@pytest.mark.parametrize(("situation", "action", "cell"), CELLS)
def test_every_action_in_every_situation(
    make_job: MakeJob, situation: str, action: str, cell: str, django_capture_on_commit_callbacks: Any, sent: Any
) -> None:
    job = job_in(make_job, situation)
    before = frozen(job)
    sent.messages.clear()
    with django_capture_on_commit_callbacks(execute=True):
        if cell in NEXT_STEPS:
            with pytest.raises(Conflict) as refusal:
                ACTIONS[action](job_id=job.pk, actor="ada", reason="because")
            assert (refusal.value.code, refusal.value.context["status"]) == (cell, status_in(situation))
            assert re.search(NEXT_STEPS[cell], refusal.value.detail)
            receipt = None
        else:
            receipt = ACTIONS[action](job_id=job.pk, actor="ada", reason="because")
    if receipt is None or cell in ("zeros", "joins") or cell.startswith("="):
        assert frozen(job) == before
    job.refresh_from_db()
    expected = {"joins": ("finish_removal", (str(job.pk),), None)}
    if cell in expected:
        assert sent.messages == [expected[cell]]
    if receipt is not None:
        check_receipt(job, situation, action, cell, receipt)


def check_receipt(job: Job, situation: str, action: str, cell: str, receipt: Any) -> None:
    """Compare the receipt, the row and the history with the cell."""
    event = JobEvent.objects.filter(job=job).order_by("id").last()
    if cell in ("joins", "zeros"):
        assert (receipt.changed, receipt.finished, receipt.job_deleted) == (False, cell == "zeros", False)
        assert cell == "joins" or receipt.removal == removal.empty_removal()
        return
    if cell == "begins":
        assert (receipt.changed, receipt.finished, receipt.error) == (True, False, "")
        assert (event.actor, event.reason) == ("ada", "because")
        wanted = status_in(situation).value if action == "cleanup" else after_delete(situation)
        assert job.status == wanted
        assert (job.delete_requested_at is not None) == (action != "cleanup")
        assert (job.cleanup_requested_at is not None) == (action != "delete" or "clean" in situation)
        return
    assert (receipt.status, job.status) == (cell.removeprefix("="),) * 2
    if action == "retry":
        assert receipt.requeued == (2 if situation == "cancelled" else 1)
        assert (job.result, job.completed_at, job.cancel_requested_at, job.started_at) == (None, None, None, None)
        assert states(job)["pending"] == receipt.requeued
    else:
        assert receipt.changed == (not cell.startswith("="))
    if not cell.startswith("="):
        assert (event.actor, event.reason, event.to_status) == ("ada", "because", cell)


@pytest.mark.parametrize(("situation", "action", "cell"), CELLS)
def test_every_command_in_every_situation(make_job: MakeJob, situation: str, action: str, cell: str) -> None:
    """0 when it was done or was so already, 3 when it was refused; the sentence is on stderr, the code in the JSON."""
    job = job_in(make_job, situation)
    command, *options = COMMANDS[action]
    out, err = StringIO(), StringIO()
    code: Any = 0
    try:
        call_command(command, str(job.pk), "--json", *options, stdout=out, stderr=err)
    except SystemExit as end:
        code = end.code
    told = json.loads(out.getvalue())
    if cell in NEXT_STEPS:
        assert (code, told["code"], told["status"]) == (3, cell, status_in(situation))
        assert err.getvalue().strip() == told["error"]
        assert re.search(NEXT_STEPS[cell], told["error"])
    else:
        assert (code, told["job_id"], err.getvalue()) == (0, str(job.pk), "")


def test_a_cancelling_job_says_since_when_how_many_are_in_flight_and_when_it_can_be_cleaned(make_job: MakeJob) -> None:
    job = job_in(make_job, "cancelling")
    since = timezone.datetime.fromisoformat("2026-03-01T14:02:03+00:00")
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=since)
    with pytest.raises(Conflict) as refusal:
        removal.job_cleanup(job_id=job.pk)
    assert refusal.value.detail == (
        "The job has been cancelling since 2026-03-01 14:02:03 UTC with 2 items in flight; it can be cleaned up as soon"
        " as its status is cancelled, in a few seconds. Cancel it with force=true to end it now."
    )


def test_the_refusal_to_delete_an_active_job_names_the_other_way(make_job: MakeJob) -> None:
    job = job_in(make_job, "running")
    with pytest.raises(Conflict, match=r"cancel it or let it finish.*cleanup=true, which cancels it first"):
        removal.job_delete(job_id=job.pk)


def test_the_table_has_every_status_and_only_known_words() -> None:
    assert {status_in(row[0]) for row in ROWS} == set(JobStatus)
    known = {*NEXT_STEPS, "begins", "joins", "zeros", *JobStatus, *(f"={status}" for status in JobStatus)}
    assert {cell for _, _, cell in CELLS} <= known


def test_cancelling_100_000_pending_items_answers_within_a_second(make_job: MakeJob) -> None:
    """On a machine that is busy otherwise: in twice the time it takes to put them in, which writes the same indexes."""
    job = make_job(1)
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs_workitem (job_id, lane_id, key, state, reason, outcome, rank, attempts, lost_leases,"
            " waited_seconds, data) SELECT job_id, lane_id, 'http://h.test/' || n, state, reason, outcome, n %% 10,"
            " 0, 0, 0, data FROM jobs_workitem, generate_series(2, 100000) n WHERE job_id = %s",
            [job.pk],
        )
    inserted_seconds = time.perf_counter() - began
    figures = []
    for is_last in (False, False, True):
        with transaction.atomic():
            began = time.perf_counter()
            receipt = lifecycle.job_cancel(job_id=job.pk)
            figures.append(time.perf_counter() - began)
            transaction.set_rollback(not is_last)
    print(f"100,000 pending items put in in {inserted_seconds:.2f} s, cancelled in {min(figures):.2f} s")
    assert (receipt.skipped, receipt.status, states(job)) == (100_000, JobStatus.CANCELLED, {"skipped": 100_000})
    assert min(figures) < max(1.0, 2 * inserted_seconds)
