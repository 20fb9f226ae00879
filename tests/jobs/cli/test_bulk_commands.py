"""One command on many jobs, by ids or by conditions: what became of each, exit codes, and nothing on a dry run."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.utils import timezone

from extraction.vectors.drain import drain_vectors
from jobs.control import bulk, removal, removal_work
from jobs.models import Job, JobEvent, Lane, Project
from jobs.states import JobStatus
from jobs.worker import host, runner
from tests.helpers.factories import Probe, states, status_of
from tests.helpers.made_jobs import crawled, is_gone, points, rows_left, vectors_caught_up

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits does in this thread what workers would do."""

    def at_work(finished: Callable[[], bool]) -> None:
        for _ in range(10):
            if finished():
                return
            for lane in Lane.objects.values_list("pk", flat=True):
                runner.slice_run(lane_id=lane)
            for job_id in removal.removals_unfinished(list(Job.objects.values_list("pk", flat=True))):
                removal_work.removal_finish(job_id)
            drain_vectors()
        raise AssertionError("what was waited for never came")

    monkeypatch.setattr(host, "hosting_or_waiting", at_work)


def run(command: str, *arguments: Any) -> tuple[Any, dict[str, Any], str]:
    """Return the exit code, the JSON on stdout and what went to stderr."""
    out, err = StringIO(), StringIO()
    code: Any = 0
    try:
        call_command(command, "--json", *map(str, arguments), stdout=out, stderr=err)
    except SystemExit as end:
        code = end.code
    return code, json.loads(out.getvalue()), err.getvalue().strip()


def outcomes(told: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in told["jobs"]]


def test_several_ids_are_done_one_by_one_and_a_refusal_is_no_refusal_of_the_rest(make_job: MakeJob) -> None:
    running, done, again = make_job(3), make_job(1, status=JobStatus.COMPLETED), make_job(2)
    nowhere = uuid4()
    code, told, err = run("cancel", running.pk, done.pk, again.pk, nowhere, running.pk, "--reason", "wrong site")
    assert (code, outcomes(told)) == (3, ["changed", "refused", "changed", "refused"])
    assert told["counts"] == {"matched": 4, "changed": 2, "unchanged": 0, "refused": 2, "listed": 0}
    assert [one["status"] for one in told["jobs"]] == ["cancelled", "completed", "cancelled", None]
    assert [one["code"] for one in told["jobs"]] == ["", "already_finished", "", "not_found"]
    assert err.splitlines() == [f"{one['id']}: {one['detail']}" for one in told["jobs"] if one["detail"]]
    assert (status_of(running), status_of(again), status_of(done)) == ("cancelled", "cancelled", "completed")
    assert JobEvent.objects.filter(action="cancel", reason="wrong site").count() == 2


def test_conditions_all_apply_and_a_dry_run_changes_nothing(make_job: MakeJob, project: Project) -> None:
    old, young, paused = make_job(2), make_job(2), make_job(2, status=JobStatus.PAUSED)
    Job.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=9))
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    wanted = ["--status", "running", "--created-before", yesterday, "--project", project.name, "--type", "probe"]
    code, told, _ = run("pause", *wanted, "--dry-run")
    assert (code, outcomes(told), told["jobs"][0]["id"]) == (0, ["listed"], str(old.pk))
    assert status_of(old) == "running"
    code, told, err = run("pause", *wanted)
    assert (code, outcomes(told), err) == (0, ["changed"], "")
    assert (status_of(old), status_of(young), status_of(paused)) == ("paused", "running", "paused")
    code, told, _ = run("resume", "--status", "paused")
    assert (code, told["counts"]["changed"], status_of(paused)) == (0, 2, "running")
    assert run("resume", "--status", "paused")[:2] == (0, {"counts": dict.fromkeys(told["counts"], 0), "jobs": []})


def test_retries_are_followed_to_their_ends(make_job: MakeJob, probe: Probe) -> None:
    jobs = [make_job(2, status=JobStatus.CANCELLED) for _ in range(2)]
    for job in jobs:
        job.items.update(state="skipped", reason="cancelled", finished_at=timezone.now())
    code, told, _ = run("retry", *(job.pk for job in jobs))
    assert (code, outcomes(told)) == (0, ["changed", "changed"])
    assert [one["status"] for one in told["jobs"]] == ["completed", "completed"]
    assert [states(job) for job in jobs] == [{"done": 2}, {"done": 2}]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("command", ["cleanup", "delete"])
def test_removals_are_seen_through(project: Project, command: str) -> None:
    jobs = [crawled(project, "/a", "/b"), crawled(project, "/b", "/c")]
    vectors_caught_up()
    code, told, err = run(command, "--status", "completed", *(["--cleanup"] if command == "delete" else []))
    assert (code, outcomes(told), err) == (0, ["changed", "changed"], "")
    assert (sum(rows_left().values()), points()) == (0, 0)
    assert [is_gone(job) for job in jobs] == [command == "delete"] * 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Choose jobs either by their ids or by conditions such as --status, not by both."),
        ([uuid4(), "--status", "running"], "Choose jobs either by their ids or by conditions"),
        ([uuid4(), "nonsense"], "'nonsense' is not a job id"),
        (["--created-before", "yesterday"], "'yesterday' is not a time; write it as 2026-03-01"),
        (["--type", "nonsense"], "There are no jobs of type 'nonsense'"),
        (["--project", "nonsense"], "There is no project 'nonsense'"),
    ],
)
def test_what_names_no_jobs_is_said(make_job: MakeJob, arguments: list[Any], sentence: str) -> None:
    job = make_job(1)
    code, _, err = run("cancel", *arguments)
    assert (code, status_of(job)) == (2, "running")
    assert err.startswith(sentence)


def test_too_many_at_once_are_refused_whole(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MAX_JOBS_PER_ACTION", 2)
    jobs = [make_job(1) for _ in range(3)]
    code, told, err = run("cancel", "--status", "running")
    assert (code, told["code"]) == (2, "too_many_jobs")
    assert "narrow it" in err
    assert {status_of(job) for job in jobs} == {"running"}


def test_people_are_told_line_by_line(make_job: MakeJob) -> None:
    running, done = make_job(1), make_job(1, status=JobStatus.COMPLETED)
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as end:
        call_command("cancel", str(running.pk), str(done.pk), stdout=out, stderr=err)
    assert end.value.code == 3
    assert out.getvalue().splitlines() == [
        f"{running.pk}  changed",
        f"{done.pk}  refused",
        "2 jobs: 1 changed, 1 refused.",
    ]
    assert err.getvalue().startswith(f"{done.pk}: The job has already finished with status completed")
