"""Jobs over REST: listing, reading, items and history page by page, cancelling, pausing, resuming."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import OperationalError, transaction

from jobs.control.pause import job_resume
from jobs.errors import Conflict
from jobs.ledger.counts import items_count
from jobs.models import Job, WorkItem
from jobs.postgres.transactions import committed
from jobs.states import FINISHED_JOB, ItemState, JobStatus, Reason
from tests.helpers.api_client import problem_of
from tests.helpers.factories import claimed

CANCEL_FIELDS = {
    "job_id",
    "status",
    "message",
    "sources_to_cleanup",
    "changed",
    "skipped",
    "pending",
    "in_flight",
    "done",
    "failed",
}


def numbers(reply):
    """Return the numbers of a cancel's receipt."""
    assert reply.json().keys() == CANCEL_FIELDS
    return {name: reply.json()[name] for name in ("changed", "skipped", "in_flight", "done", "failed")}


# Cancel: the table of section 3


def test_a_queued_job_is_cancelled_at_once(api, make_job):
    job = make_job(5, status=JobStatus.QUEUED)
    reply = api.post(f"/jobs/{job.pk}/cancel")
    assert reply.status_code == 200
    assert numbers(reply) == {"changed": True, "skipped": 5, "in_flight": 0, "done": 0, "failed": 0}
    assert reply.json()["status"] == "cancelled"
    assert reply.json()["job_id"] == str(job.pk)
    assert reply.json()["sources_to_cleanup"] == 0


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.PAUSED])
def test_with_work_in_flight_it_is_202_until_the_workers_are_out(api, make_job, status):
    job = make_job(10)
    claimed(3)
    Job.objects.filter(pk=job.pk).update(status=status.value)
    reply = api.post(f"/jobs/{job.pk}/cancel")
    assert (reply.status_code, reply.json()["status"]) == (202, "cancelling")
    assert numbers(reply) == {"changed": True, "skipped": 7, "in_flight": 3, "done": 0, "failed": 0}
    again = api.post(f"/jobs/{job.pk}/cancel")
    assert (again.status_code, again.json()["status"]) == (202, "cancelling")
    assert numbers(again) == {"changed": False, "skipped": 0, "in_flight": 3, "done": 0, "failed": 0}
    forced = api.post(f"/jobs/{job.pk}/cancel", force="true")
    assert (forced.status_code, forced.json()["status"]) == (200, "cancelled")
    assert numbers(forced) == {"changed": True, "skipped": 3, "in_flight": 0, "done": 0, "failed": 0}


def test_force_may_be_false_or_empty(api, make_job):
    job = make_job(2)
    claimed(1)
    assert api.post(f"/jobs/{job.pk}/cancel", force="false").status_code == 202
    assert api.post(f"/jobs/{job.pk}/cancel", force="").status_code == 202
    problem_of(api.post(f"/jobs/{job.pk}/cancel", force="perhaps"), 422)


def test_a_cancelled_job_stays_so(api, make_job):
    job = make_job(1, status=JobStatus.CANCELLED)
    reply = api.post(f"/jobs/{job.pk}/cancel")
    assert reply.status_code == 200
    assert numbers(reply)["changed"] is False


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED])
def test_a_finished_job_is_409_with_its_final_status(api, make_job, status):
    job = make_job(1, status=status)
    problem = problem_of(api.post(f"/jobs/{job.pk}/cancel"), 409, "already_finished")
    assert problem["job_status"] == status.value
    assert status.value in problem["detail"]


def test_a_job_being_deleted_is_202(api, make_job):
    job = make_job(1, status=JobStatus.DELETING)
    reply = api.post(f"/jobs/{job.pk}/cancel")
    assert (reply.status_code, reply.json()["status"], reply.json()["changed"]) == (202, "deleting", False)


def test_the_history_names_who_cancelled(api, make_job):
    job = make_job(1)
    api.post(f"/jobs/{job.pk}/cancel")
    events = api.get(f"/jobs/{job.pk}/events").json()["events"]
    assert [(event["action"], event["actor"], event["to_status"]) for event in events] == [
        ("cancel", "chief", "cancelled")
    ]
    assert api.get(f"/jobs/{job.pk}").json()["cancel_requested_by"] == "chief"


# Pause and resume


@pytest.mark.parametrize(
    ("action", "status", "to", "changed"),
    [
        ("pause", JobStatus.QUEUED, "paused", True),
        ("pause", JobStatus.RUNNING, "paused", True),
        ("pause", JobStatus.PAUSED, "paused", False),
        ("resume", JobStatus.QUEUED, "queued", False),
        ("resume", JobStatus.RUNNING, "running", False),
        ("resume", JobStatus.PAUSED, "running", True),
    ],
)
def test_pause_and_resume(api, make_job, action, status, to, changed):
    job = make_job(1, status=status)
    reply = api.post(f"/jobs/{job.pk}/{action}")
    assert reply.status_code == 200
    assert reply.json() | {"message": ""} == {"job_id": str(job.pk), "status": to, "changed": changed, "message": ""}
    assert Job.objects.get(pk=job.pk).status == to


@pytest.mark.parametrize("action", ["pause", "resume"])
@pytest.mark.parametrize("status", [*sorted(FINISHED_JOB), JobStatus.CANCELLING, JobStatus.DELETING])
def test_the_rest_can_neither_be_paused_nor_resumed(api, make_job, action, status):
    job = make_job(1, status=status)
    problem = problem_of(api.post(f"/jobs/{job.pk}/{action}"), 409)
    assert problem["job_status"] == status.value


# Lists


def test_jobs_come_newest_first_page_by_page(api, make_job):
    made = [str(make_job().pk) for _ in range(5)]
    first = api.get("/jobs", limit=2).json()
    assert (first["total"], first["limit"], first["offset"]) == (5, 2, 0)
    rest = api.get("/jobs", limit=100, offset=2).json()
    assert [job["id"] for job in first["jobs"] + rest["jobs"]] == made[::-1]
    assert api.get("/jobs", offset=5).json()["jobs"] == []
    assert first["jobs"][0].keys() >= {
        "id",
        "type",
        "status",
        "created_at",
        "started_at",
        "completed_at",
        "error",
    }


def test_jobs_by_type_status_and_time(api, make_job):
    old = make_job(status=JobStatus.COMPLETED)
    new = make_job()
    Job.objects.filter(pk=old.pk).update(created_at=datetime(2020, 1, 2, tzinfo=UTC))

    def found(**query):
        return [job["id"] for job in api.get("/jobs", **query).json()["jobs"]]

    assert found(status="completed") == [str(old.pk)]
    assert found(type="probe", status="running") == [str(new.pk)]
    assert found(created_before="2020-01-03T00:00:00") == [str(old.pk)]
    assert found(created_before="2020-01-02T01:00:00+02:00") == []
    assert found(created_after="2020-01-03") == [str(new.pk)]
    assert found(created_after="", status="", type="") == [str(new.pk), str(old.pk)]
    assert found(project_id=str(UUID(int=3))) == []
    problem_of(api.get("/jobs", status="done"), 422)
    problem_of(api.get("/jobs", created_after="yesterday"), 422)


def test_times_are_utc_with_a_z(api, make_job):
    job = make_job(status=JobStatus.COMPLETED)
    Job.objects.filter(pk=job.pk).update(created_at=datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC))
    body = api.get(f"/jobs/{job.pk}").json()
    assert body["created_at"] == "2024-05-06T07:08:09Z"
    assert body["completed_at"].endswith("Z")


def test_one_job_with_payload_result_and_counts(api, make_job):
    job = make_job(3, payload={"url": "https://a.example/<b>"})
    assert api.get(f"/jobs/{job.pk}").json() | {"created_at": None, "started_at": None} == {
        "id": str(job.pk),
        "type": "probe",
        "status": "running",
        "project_id": str(job.project_id),
        "label": "",
        "created_at": None,
        "started_at": None,
        "completed_at": None,
        "error": None,
        "payload": {"url": "https://a.example/<b>"},
        "result": None,
        "parent_id": None,
        "cancel_requested_at": None,
        "cancel_requested_by": None,
        "cancel_reason": None,
        "cleanup_requested_at": None,
        "cleaned_at": None,
        "delete_requested_at": None,
        "removal_error": None,
        "counts": {"pending": 3},
        "reasons": {},
        "outcomes": {},
    }


def test_items_by_state_and_reason_keyset_paged(api, make_job):
    job = make_job([f"https://a.example/{number}?q=<&>" for number in range(7)])
    make_job(["https://other.example/"])
    claim = claimed(1)[0]
    WorkItem.objects.filter(pk=claim.id).update(
        state=ItemState.FAILED.value,
        reason=Reason.TIMEOUT.value,
        lease=None,
        lease_until=None,
        finished_at=datetime.now(UTC),
        result={"detail": "The server took too long."},
    )
    keys, after, pages = [], "", 0
    while after is not None:
        page = api.get(f"/jobs/{job.pk}/items", limit=3, after=after).json()
        keys += [item["key"] for item in page["items"]]
        after, pages = page["next_after"], pages + 1
    assert keys == sorted(WorkItem.objects.filter(job=job).values_list("key", flat=True))
    assert (len(keys), pages) == (7, 3)
    failed = api.get(f"/jobs/{job.pk}/items", state="failed", reason="timeout").json()
    assert [(item["key"], item["reason"], item["result"]) for item in failed["items"]] == [
        (claim.key, "timeout", {"detail": "The server took too long."})
    ]
    assert failed["next_after"] is None
    assert api.get(f"/jobs/{job.pk}/items", state="done").json() == {"items": [], "next_after": None}
    problem_of(api.get(f"/jobs/{job.pk}/items", reason="bored"), 422)
    problem_of(api.get(f"/jobs/{job.pk}/items", limit=1001), 422)


def test_events_keyset_paged_and_kept_after_deletion(api, make_job):
    job = make_job(status=JobStatus.QUEUED)
    for action in ("pause", "resume", "pause"):
        api.post(f"/jobs/{job.pk}/{action}")
    first = api.get(f"/jobs/{job.pk}/events", limit=2).json()
    second = api.get(f"/jobs/{job.pk}/events", limit=2, after=first["next_after"]).json()
    assert [event["action"] for event in first["events"] + second["events"]] == ["pause", "resume", "pause"]
    assert second["next_after"] is None
    Job.objects.filter(pk=job.pk).delete()
    assert len(api.get(f"/jobs/{job.pk}/events").json()["events"]) == 3
    problem_of(api.get(f"/jobs/{job.pk}"), 404, "not_found")


# What follows a commit


@pytest.mark.django_db(transaction=True)
def test_an_answer_survives_what_fails_after_the_commit(project):
    def work():
        transaction.on_commit(fail)
        return Job.objects.create(project=project, kind="probe").pk

    def fail():
        raise ConnectionError("the broker is gone")

    assert Job.objects.filter(pk=committed(work)).exists()


@pytest.mark.django_db(transaction=True)
def test_a_deadlock_after_the_commit_repeats_nothing(project):
    def work():
        transaction.on_commit(fail)
        return Job.objects.create(project=project, kind="probe").pk

    def fail():
        raise OperationalError("deadlock detected") from Deadlock()

    class Deadlock(Exception):
        sqlstate = "40P01"

    made = committed(work)
    assert list(Job.objects.values_list("pk", flat=True)) == [made]


@pytest.mark.django_db(transaction=True)
def test_an_error_before_the_commit_is_raised_and_nothing_stays(project):
    def work():
        Job.objects.create(project=project, kind="probe")
        raise Conflict("No.")

    with pytest.raises(Conflict):
        committed(work)
    assert not Job.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_resuming_while_the_broker_is_down_is_no_failure(api, make_job, monkeypatch):
    job = make_job(2, status=JobStatus.PAUSED)

    def fail(lanes):
        raise ConnectionError("the broker is gone")

    monkeypatch.setattr("jobs.messages.wake._send_slices", fail)
    assert api.post(f"/jobs/{job.pk}/resume").json()["changed"] is True
    assert Job.objects.get(pk=job.pk).status == "running"
    assert job_resume(job_id=job.pk).changed is False
    assert items_count(job.pk).states == {"pending": 2}
