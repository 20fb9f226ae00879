"""What every action on a job does in every situation. All four entrances are walked by this one table.

`TABLE` is the contract; the action table of `docs/state-machine.md` is compared with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from jobs.control import removal, retry
from jobs.control.cancel import job_cancel
from jobs.control.pause import job_pause, job_resume
from jobs.models import Job, JobEvent, WorkItem
from jobs.registry import owners
from jobs.states import ACTIVE_JOB, JobStatus
from tests.helpers.factories import claimed, states, status_fields

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
CELLS = {(row[0], action): cell for row in ROWS for action, cell in zip(HEAD[1:], row[1:], strict=True)}
SITUATIONS = [row[0] for row in ROWS]
ACTIONS = HEAD[1:]

SERVICES: dict[str, Callable[..., Any]] = {
    "cancel": job_cancel,
    "force": lambda **given: job_cancel(force=True, **given),
    "cleanup": removal.job_cleanup,
    "delete": removal.job_delete,
    "delete_cleanup": lambda **given: removal.job_delete(cleanup=True, **given),
    "retry": retry.job_retry,
    "pause": job_pause,
    "resume": job_resume,
}

#: code → what the detail tells people to do.
NEXT_STEPS = {
    "job_active": r"(cancel it or let it finish, then it can be|as soon as its status is cancelled, in a few seconds)",
    "already_finished": "Clean it up or delete it",
    "job_deleting": "(there is nothing more to do|start a new one)",
    "cleanup_running": "wait until that is finished, then start a new job",
    "no_artifacts": "start a new job",
    "nothing_to_retry": "Start a new job",
    "not_pausable": "([Rr]etry it|Start a new job)",
    "not_resumable": "([Rr]etry it|Start a new job)",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a caller is told.

    http: status of a reply that does not wait. code: of the refusal, else empty. status: where the job then stands.
    is_repeat: nothing at all is written.
    """

    http: int
    code: str
    changed: bool
    status: JobStatus
    is_repeat: bool

    @property
    def is_refused(self) -> bool:
        """True if the action is refused."""
        return bool(self.code)


def expected(situation: str, action: str) -> Expected:
    """Return what the table says of the action in the situation."""
    cell, stands = CELLS[situation, action], status_in(situation)
    if cell in NEXT_STEPS:
        return Expected(409, cell, False, stands, True)
    if cell == "begins":
        return Expected(202, "", True, stands if action == "cleanup" else after_delete(situation), False)
    if cell in ("joins", "zeros"):
        return Expected(200 if cell == "zeros" else 202, "", False, stands, True)
    is_repeat, status = cell.startswith("="), JobStatus(cell.removeprefix("="))
    goes_on = action == "retry" or status in (JobStatus.CANCELLING, JobStatus.DELETING)
    return Expected(202 if goes_on else 200, "", not is_repeat, status, is_repeat)


def status_in(situation: str) -> JobStatus:
    """Return the status of a job in the situation."""
    return JobStatus(situation.partition("_")[0])


def after_delete(situation: str) -> JobStatus:
    """Return where a job stands once its deletion has begun: one with work in flight is cancelled first."""
    is_busy = situation in ("running_busy", "paused_busy", "cancelling")
    return JobStatus.CANCELLING if is_busy else JobStatus.DELETING


def job_in(make_job: MakeJob, situation: str) -> Job:
    """Return a job with four items in the situation; a finished one has one item failed and one skipped."""
    job = make_job(4, label=situation)
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
        found = owners.nothing_removed() | {"sources": {"found": 2, "deleted": 2, "kept_shared": 0}}
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
