"""The commands on jobs: what they print, and exit codes 0 done, 1 failed, 2 wrong use, 3 refused."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Any

import dramatiq
import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from django.utils import timezone
from django_dramatiq.middleware import DbConnectionsMiddleware
from dramatiq.middleware import Callbacks, ShutdownNotifications, TimeLimit

import jobs.actors
from config.messages.broker import InProcessBroker
from extraction.actors import drain_vectors
from extraction.models import Passage
from jobs.cli import removal
from jobs.models import Job, JobEvent, Project, WorkItem, new_id
from jobs.states import JobStatus
from jobs.worker import host
from tests.helpers.factories import Probe, claimed, states, status_of
from tests.helpers.made_jobs import crawled, is_gone, points, rows_left, vectors_caught_up
from tests.jobs.control.test_removal_races import unavailable

MakeJob = Callable[..., Job]
ON_ONE_JOB = ("cancel", "cleanup", "delete", "retry", "pause", "resume")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: Any
    out: str
    err: str

    @property
    def told(self) -> dict[str, Any]:
        """What it printed, one JSON object and nothing else."""
        return dict(json.loads(self.out))


def run(*arguments: Any) -> Ran:
    """Run a command of ours in this process."""
    out, err = StringIO(), StringIO()
    code: Any = 0
    try:
        call_command(*map(str, arguments), stdout=out, stderr=err)
    except SystemExit as end:
        code = end.code
    return Ran(code, out.getvalue(), err.getvalue().strip())


@pytest.mark.django_db
@pytest.mark.parametrize("command", ON_ONE_JOB)
def test_wrong_use(command: str) -> None:
    unknown, malformed = run(command, new_id(), "--json"), run(command, "eleven", "--json")
    assert (unknown.code, unknown.told["code"]) == (2, "not_found")
    assert (malformed.code, malformed.told["code"]) == (2, "malformed_id")
    assert "copy one from the list of jobs" in malformed.err
    none = run(command, "--json")
    assert (none.code, none.told["code"]) == (2, "invalid")
    assert none.err.startswith("Choose jobs either by their ids or by conditions")


@pytest.mark.django_db
@pytest.mark.parametrize("command", ON_ONE_JOB)
def test_a_database_that_fails_is_told_in_a_sentence(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connections["default"], "cursor", fails)
    ran = run(command, new_id())
    assert (ran.code, ran.err, ran.out) == (1, "The database does not answer: connection refused", "")


@pytest.mark.django_db
def test_cancel_says_what_became_of_everything(make_job: MakeJob) -> None:
    job = make_job(3)
    claimed(1)
    ran = run("cancel", job.pk, "--reason", "wrong site")
    assert ran.code == 0
    assert ran.out == "The job is cancelling: 2 items skipped, 1 in flight, 0 done and kept, 0 failed.\n"
    assert run("cancel", job.pk).out.startswith("The job was already cancelling: 0 items skipped, 1 in flight")
    forced = run("cancel", job.pk, "--force", "--json")
    assert (forced.told["status"], forced.told["skipped"], forced.told["in_flight"]) == ("cancelled", 1, 0)
    event = JobEvent.objects.filter(job=job).order_by("id").first()
    assert (event.reason, event.actor.endswith("(command)")) == ("wrong site", True)


@pytest.mark.django_db
def test_pause_and_resume(make_job: MakeJob) -> None:
    job = make_job(1)
    assert run("pause", job.pk, "--reason", "night").out == "The job is paused.\n"
    assert run("pause", job.pk).out == "The job was already paused.\n"
    assert (status_of(job), JobEvent.objects.get(job=job).reason) == ("paused", "night")
    assert run("resume", job.pk).out == "The job is running.\n"
    assert run("resume", job.pk, "--json").told == {"job_id": str(job.pk), "status": "running", "changed": False}


@pytest.mark.django_db
def test_retry_takes_its_filters(make_job: MakeJob) -> None:
    job = make_job(2, status=JobStatus.COMPLETED)
    for key, reason in (("item-0", "timeout"), ("item-1", "dns")):
        items = WorkItem.objects.filter(job=job, key=key)
        items.update(state="failed", reason=reason, finished_at=timezone.now())
    wrong = run("retry", job.pk, "--only", "weather")
    assert (wrong.code, "Unknown reason: weather" in wrong.err) == (2, True)
    assert run("retry", job.pk, "--host", "nowhere.test", "--detach").code == 3
    ran = run("retry", job.pk, "--only", "dns", "--detach")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "Retrying 1 item.")
    assert states(job) == {"failed": 1, "pending": 1}


@pytest.mark.django_db
def test_heal_and_jobs_show_what_they_found(make_job: MakeJob) -> None:
    job = make_job(2, label="docs")
    assert run("heal", "--json").told["ran"] is True
    assert "Items pending again after an expired lease: 0," in run("heal").out
    run("cancel", job.pk)
    shown = run("jobs", job.pk, "--json").told
    assert (shown["status"], shown["counts"], shown["events"][-1]["action"]) == ("cancelled", {"skipped": 2}, "cancel")
    assert str(job.pk) in run("jobs").out
    assert run("jobs", "--status", "running", "--json").told == {"jobs": []}
    assert run("jobs", new_id()).code == 2


# Seen through to the end: the command hosts the workers itself, since nobody else does.


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch, store: Any) -> Iterator[None]:
    """The broker of the embedded profile, new for this test; nothing hosts it until the command does."""
    own = InProcessBroker(middleware=[TimeLimit(), ShutdownNotifications(), Callbacks(), DbConnectionsMiddleware()])
    for actor in (*vars(jobs.actors).values(), drain_vectors):
        if isinstance(actor, dramatiq.Actor):
            monkeypatch.setattr(actor, "broker", own)
            own.declare_actor(actor)
    monkeypatch.setattr(dramatiq.broker, "global_broker", own)
    yield
    assert not host.is_hosted()


@pytest.mark.django_db(transaction=True)
def test_cleanup_is_seen_through(project: Project, workers: None) -> None:
    job, other = crawled(project, "/a", "/b"), crawled(project, "/a")
    vectors_caught_up()
    passages = Passage.objects.count()
    gone = Passage.objects.filter(source__url__endswith="/b").count()
    ran = run("cleanup", job.pk, "--reason", "tidy")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "Done.",
        "  sources: 2 found, 1 deleted, 1 kept for other jobs",
        "  extractions: 0 found, 0 deleted",
        f"  passages: {gone} found, {gone} deleted",
        f"  vectors: {gone} found, {gone} deleted",
    ]
    assert (status_of(job), points(job), points(other)) == ("completed", 0, passages - gone)
    again = run("cleanup", job.pk, "--json").told
    assert (again["changed"], again["finished"], again["removal"]["sources"]["found"]) == (False, True, 0)


@pytest.mark.django_db(transaction=True)
def test_a_delete_is_seen_through(project: Project, workers: None) -> None:
    job = crawled(project, "/a")
    ran = run("delete", job.pk, "--cleanup", "--json")
    assert (ran.code, ran.told["job_deleted"], ran.told["removal"]["sources"]["deleted"]) == (0, True, 1)
    assert (is_gone(job), rows_left()["sources"], points()) == (True, 0, 0)
    kept = crawled(project, "/a")
    assert run("delete", kept.pk).out.startswith("Done; the job is deleted.")
    assert (is_gone(kept), rows_left()["sources"]) == (True, 1)


@pytest.mark.django_db(transaction=True)
def test_a_removal_that_cannot_be_finished_has_failed(
    project: Project, workers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = crawled(project, "/a")
    vectors_caught_up()
    monkeypatch.setattr(removal, "GIVE_UP_SECONDS", 0.5)
    with unavailable(monkeypatch, "delete"):
        ran = run("cleanup", job.pk, "--json")
    assert (ran.code, ran.told["finished"]) == (1, False)
    assert "the vector store does not answer" in ran.told["error"]
    assert ran.err.startswith("Not finished: ")
    assert ran.err.endswith("Workers keep trying.")


@pytest.mark.django_db(transaction=True)
def test_a_retry_is_followed_to_its_end(
    make_job: MakeJob, probe: Probe, workers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(2, status=JobStatus.FAILED)
    WorkItem.objects.filter(job=job).update(state="failed", reason="dns", finished_at=timezone.now())
    ran = run("retry", job.pk, "--json")
    assert (ran.code, ran.told["status"], ran.told["counts"]) == (0, "completed", {"done": 2})


@pytest.mark.django_db(transaction=True)
def test_audit_tells_finds_and_repairs(project: Project, store: Any) -> None:
    crawled(project, "/a")
    vectors_caught_up()
    number = points()
    in_step = run("audit", "--json")
    assert (in_step.code, in_step.told["rows"], in_step.told["points"]) == (0, number, number)
    one = Passage.objects.values_list("pk", flat=True)[0]
    store.delete([one])
    assert (run("audit", "--json").code, points()) == (1, number - 1)
    with pytest.MonkeyPatch.context() as patched, unavailable(patched, "upsert"):
        down = run("audit", "--fix")
    assert (down.code, down.err.startswith("The repair is queued, and workers will carry it out")) == (1, True)
    from tests.helpers.knowledge import time_passes

    time_passes()
    fixed = run("audit", "--fix")
    assert (fixed.code, points()) == (0, number)


@pytest.mark.django_db(transaction=True)
def test_audit_is_refused_while_another_process_has_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    from extraction.management.commands import audit

    monkeypatch.setattr(audit, "is_hosted", lambda: True)
    ran = run("audit", "--json")
    assert (ran.code, ran.told["code"], "stop it, then run the audit" in ran.err) == (3, "store_in_use", True)
