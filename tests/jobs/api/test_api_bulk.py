"""One action on many jobs over REST: by ids or by a filter, looked at first, told job by job."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from jobs.control import bulk
from jobs.errors import Unavailable
from jobs.models import Job, JobEvent, WorkItem
from jobs.registry import owners
from jobs.states import JobStatus
from tests.helpers.api_client import problem_of
from tests.helpers.empty_owners import empty_owners

ACTIONS = ("cancel", "cleanup", "delete", "retry", "pause", "resume")


@pytest.fixture(autouse=True)
def no_owners(monkeypatch):
    """Let jobs own nothing."""
    monkeypatch.setattr(owners, "_owners", empty_owners())


def ids(*jobs):
    return [str(job.pk) for job in jobs]


def told(reply):
    """Return what the reply says of each job: id → outcome and refusal's code."""
    assert reply.status_code == 200, reply.content
    return {one["id"]: (one["outcome"], one["code"]) for one in reply.json()["jobs"]}


def test_cancel_tells_of_each_job(api, make_job):
    running, cancelled = make_job(3), make_job(1, status=JobStatus.CANCELLED)
    completed, unknown = make_job(status=JobStatus.COMPLETED), str(uuid4())
    body = {"job_ids": [unknown, *ids(running, cancelled, completed, running)], "reason": "wrong site"}
    reply = api.post("/jobs/bulk/cancel", body)
    assert told(reply) == {
        unknown: ("refused", "not_found"),
        str(running.pk): ("changed", None),
        str(cancelled.pk): ("unchanged", None),
        str(completed.pk): ("refused", "already_finished"),
    }
    assert [one["id"] for one in reply.json()["jobs"]] == [unknown, *ids(running, cancelled, completed)]
    assert [one["status"] for one in reply.json()["jobs"]] == [None, "cancelled", "cancelled", "completed"]
    assert reply.json()["jobs"][3]["detail"].startswith("The job has already finished")
    assert reply.json()["counts"] == {"matched": 4, "changed": 1, "unchanged": 1, "refused": 2}
    assert (reply.json()["action"], reply.json()["dry_run"]) == ("cancel", False)
    event = JobEvent.objects.get(job=running)
    assert (event.action, event.actor, event.reason) == ("cancel", "chief", "wrong site")


def test_each_action_does_what_it_says(api, make_job):
    job = make_job(2)
    statuses = [
        api.post(f"/jobs/bulk/{action}", {"job_ids": ids(job)} | options).json()["jobs"][0]["status"]
        for action, options in (
            ("pause", {}),
            ("resume", {}),
            ("cancel", {"force": True}),
            ("retry", {"reasons": ["cancelled"], "hosts": None}),
            ("delete", {"cleanup": True}),
        )
    ]
    assert statuses == ["paused", "running", "cancelled", "queued", "deleting"]
    assert Job.objects.get(pk=job.pk).cleanup_requested_at is not None
    other = make_job(1, status=JobStatus.FAILED)
    assert told(api.post("/jobs/bulk/cleanup", {"job_ids": ids(other)})) == {str(other.pk): ("changed", None)}
    assert told(api.post("/jobs/bulk/cleanup", {"job_ids": ids(other)})) == {str(other.pk): ("unchanged", None)}
    api.post("/jobs/bulk/cleanup", {"job_ids": ids(other), "delete_job": True})
    assert Job.objects.get(pk=other.pk).status == "deleting"


def test_a_filter_finds_exactly_its_jobs_oldest_first(api, make_job):
    old, newer, other = make_job(1), make_job(1), make_job(1, status=JobStatus.COMPLETED)
    Job.objects.filter(pk=old.pk).update(created_at=datetime(2020, 1, 2, tzinfo=UTC))

    def found(**conditions):
        reply = api.post("/jobs/bulk/pause", {"filter": conditions, "dry_run": True})
        assert reply.status_code == 200, reply.content
        return [one["id"] for one in reply.json()["jobs"]]

    assert found(status="running") == ids(old, newer)
    assert found(type="probe") == ids(old, newer, other)
    assert found(project_id=str(old.project_id), status="completed", type=None) == ids(other)
    assert found(project_id=str(UUID(int=3))) == []
    assert found(created_before="2020-01-03") == ids(old)
    assert found(created_after="2020-01-03T00:00:00Z", status="running") == ids(newer)
    assert set(Job.objects.values_list("status", flat=True)) == {"running", "completed"}
    assert told(api.post("/jobs/bulk/pause", {"filter": {"status": "running"}})).keys() == {*ids(old, newer)}
    assert set(Job.objects.values_list("status", flat=True)) == {"paused", "completed"}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_dry_run_changes_nothing(api, make_job, action):
    jobs = [make_job(3), make_job(2, status=JobStatus.FAILED)]
    unknown = str(uuid4())
    before = (list(Job.objects.values()), list(WorkItem.objects.values()))
    reply = api.post(f"/jobs/bulk/{action}", {"job_ids": [*ids(*jobs), unknown], "dry_run": True})
    assert told(reply) == dict.fromkeys(ids(*jobs), ("listed", None)) | {unknown: ("refused", "not_found")}
    body = reply.json()
    assert body["dry_run"] is True
    assert body["counts"] == {"matched": 3, "changed": 0, "unchanged": 0, "refused": 1}
    assert [one["items"] for one in body["jobs"]] == [{"pending": 3}, {"pending": 2}, {}]
    made = dict.fromkeys(owners._owners, 0) if action in ("cleanup", "delete") else {}
    assert (body["items"], body["artifacts"], body["warnings"]) == ({"pending": 5}, made, [])
    assert (list(Job.objects.values()), list(WorkItem.objects.values())) == before
    assert not JobEvent.objects.exists()


class Owner(owners.ArtifactOwner):
    name, rank, artifacts = "sources", 20, ("sources",)

    def __init__(self, error=None):
        self.error = error

    def count(self, job_ids):
        if self.error:
            raise self.error
        return 7 * len(job_ids)


def test_a_dry_run_of_a_removal_counts_what_the_jobs_made(api, make_job, monkeypatch):
    body = {"job_ids": ids(make_job(), make_job()), "dry_run": True}
    monkeypatch.setattr(owners, "_owners", {"sources": Owner()})
    assert api.post("/jobs/bulk/delete", body).json()["artifacts"] == {"sources": 14}
    assert api.post("/jobs/bulk/cancel", body).json()["artifacts"] == {}
    monkeypatch.setattr(owners, "_owners", {"sources": Owner(Unavailable("The store does not answer; start it."))})
    reply = api.post("/jobs/bulk/cleanup", body).json()
    assert (reply["artifacts"], reply["warnings"]) == ({}, ["The store does not answer; start it."])


def test_more_jobs_than_go_at_a_time_are_refused(api, make_job, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_JOBS_PER_ACTION", 2)
    make_job(1), make_job(1)
    assert len(told(api.post("/jobs/bulk/pause", {"filter": {"status": "running"}}))) == 2
    Job.objects.update(status="running")
    make_job(1)
    problem = problem_of(api.post("/jobs/bulk/pause", {"filter": {"status": "running"}}), 422, "too_many_jobs")
    assert "created_before" in problem["detail"]
    assert set(Job.objects.values_list("status", flat=True)) == {"running"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "The request body must have either job_ids or filter."),
        ({"job_ids": None, "filter": None}, "The request body must have either job_ids or filter."),
        ({"job_ids": [str(UUID(int=1))], "filter": {"type": "crawl"}}, "must have either job_ids or filter"),
        ({"filter": {}}, "filter must have at least one condition"),
        ({"filter": {"status": None}}, "filter must have at least one condition"),
        ({"filter": {"status": "done"}}, "filter.status"),
        ({"filter": {"state": "done"}}, "filter.state is not a known field"),
        ({"filter": {"type": "walk"}}, "There are no jobs of type 'walk'"),
        ({"job_ids": []}, "job_ids must have at least 1 item"),
        ({"job_ids": ["nonsense"]}, "job_ids[0] is not an id"),
        ({"job_ids": [str(UUID(int=1))] * 1001}, "job_ids must have at most 1000 items"),
        ({"job_ids": [str(UUID(int=1))], "colour": 1}, "colour is not a known field"),
    ],
)
def test_bad_requests_are_told_and_change_nothing(api, make_job, body, detail):
    make_job(1)
    assert detail in problem_of(api.post("/jobs/bulk/cancel", body), 422)["detail"]
    assert Job.objects.get().status == "running"


def test_an_unknown_action_is_no_job(api):
    problem_of(api.post("/jobs/bulk/explode", {}), 404, "no_such_path")


@pytest.mark.parametrize(
    ("action", "option", "own", "other"),
    [
        ("cleanup", "delete_job", "jobs.cleanup_job", "jobs.delete_job"),
        ("delete", "cleanup", "jobs.delete_job", "jobs.cleanup_job"),
    ],
)
def test_removing_both_needs_both_permissions(api_of, make_job, action, option, own, other):
    job = make_job(1, status=JobStatus.COMPLETED)
    body = {"job_ids": ids(job), option: True}
    problem = problem_of(api_of(own).post(f"/jobs/bulk/{action}", body), 403, "forbidden")
    assert problem["permission"] == other
    both = api_of(own, other, name="both").post(f"/jobs/bulk/{action}", body)
    assert told(both) == {str(job.pk): ("changed", None)}


@pytest.mark.django_db(transaction=True)
def test_a_broken_broker_is_no_refusal(api, make_job, monkeypatch):
    def fail(*args):
        raise ConnectionError("the broker is gone")

    job = make_job(1, status=JobStatus.PAUSED)
    monkeypatch.setattr("jobs.messages.wake._send_slices", fail)
    assert told(api.post("/jobs/bulk/resume", {"job_ids": ids(job)})) == {str(job.pk): ("changed", None)}
