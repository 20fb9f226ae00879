"""Cleaning up, deleting and retrying over REST: the table of DESIGN, section 3, and waiting for the end."""

from datetime import UTC, datetime

import pytest
from django.utils import timezone

from jobs.api import routes as jobs_api
from jobs.api import waiting
from jobs.api.waiting import Places
from jobs.control.end import job_end_if_done
from jobs.control.removal_work import removal_finish
from jobs.models import Job, WorkItem
from jobs.registry import owners
from jobs.states import ACTIVE_JOB, FINISHED_JOB, ItemState, JobStatus, Reason
from tests.helpers.api_client import problem_of
from tests.helpers.empty_owners import empty_owners
from tests.helpers.factories import claimed
from tests.helpers.threads import until

KINDS = ("sources", "extractions", "passages", "vectors")
ZEROS = {"found": 0, "deleted": 0, "kept_shared": 0}
NOT_WAITING = {"Prefer": "wait=0"}
WAITING = {"Prefer": "wait=30"}


@pytest.fixture(autouse=True)
def no_owners(monkeypatch):
    """Let jobs own nothing: what becomes of artifacts is told in tests/extraction."""
    monkeypatch.setattr(owners, "_owners", empty_owners())


def cleanup(api, job, body=None, headers=NOT_WAITING):
    return api.send("POST", f"/jobs/{job.pk}/cleanup", body, headers)


def delete(api, job, headers=NOT_WAITING, **query):
    return api.send("DELETE", f"/jobs/{job.pk}", None, headers, **query)


def finish_when_asked(in_thread, job):
    """Be the actor, in a thread: finish the removal as soon as it was asked for."""

    def work():
        wanted = Job.objects.filter(pk=job.pk, cleanup_requested_at=None, delete_requested_at=None)
        until(lambda: not wanted.exists(), "the removal was asked for")
        return removal_finish(job.pk)

    return in_thread(work)


# Replies


@pytest.mark.django_db(transaction=True)
def test_cleanup_waits_for_the_actor(api, make_job, in_thread):
    job = make_job(2, status=JobStatus.COMPLETED)
    actor = finish_when_asked(in_thread, job)
    reply = cleanup(api, job, headers=WAITING)
    assert (reply.status_code, actor.result()) == (200, True)
    assert reply.headers["Preference-Applied"] == "wait=30"
    assert reply.json() == {
        "job_id": str(job.pk),
        "sources_deleted": 0,
        "extractions_deleted": 0,
        "embeddings_deleted": 0,
        "dlq_items_deleted": 0,
        "job_deleted": False,
        "changed": True,
        "receipt": dict.fromkeys(KINDS, ZEROS),
        "error": None,
        "message": "What the job made is gone, except what other jobs also use; the job itself is kept.",
    }
    again = cleanup(api, job)
    assert (again.status_code, again.json()["changed"]) == (200, False)
    assert api.get(f"/jobs/{job.pk}").json()["cleaned_at"].endswith("Z")


@pytest.mark.django_db(transaction=True)
def test_cleanup_of_job_and_all(api, make_job, in_thread):
    job = make_job(2, status=JobStatus.COMPLETED)
    finish_when_asked(in_thread, job)
    reply = cleanup(api, job, {"delete_job": True, "reason": "wrong site"}, WAITING)
    assert (reply.status_code, reply.json()["job_deleted"]) == (200, True)
    problem_of(cleanup(api, job), 404, "not_found")
    problem_of(delete(api, job), 404, "not_found")
    events = api.get(f"/jobs/{job.pk}/events").json()["events"]
    assert [event["action"] for event in events] == ["delete", "deleting", "cleaned", "deleted"]
    assert events[0]["reason"] == "wrong site" and events[0]["actor"] == "chief"


@pytest.mark.django_db(transaction=True)
def test_delete_waits_for_the_actor_and_cancels_first(api, make_job, in_thread):
    job = make_job(3)
    finish_when_asked(in_thread, job)
    reply = delete(api, job, WAITING, cleanup="true")
    assert reply.status_code == 200
    assert reply.json() == {
        "job_id": str(job.pk),
        "deleted": True,
        "cleanup_performed": True,
        "cleanup_stats": {
            "sources_deleted": 0,
            "extractions_deleted": 0,
            "embeddings_deleted": 0,
            "dlq_items_deleted": 0,
        },
        "changed": True,
        "receipt": dict.fromkeys(KINDS, ZEROS),
        "error": None,
        "message": "The job is deleted; what the job made is gone.",
    }
    assert not Job.objects.exists() and not WorkItem.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_delete_without_cleanup_keeps_what_the_job_made(api, make_job, in_thread):
    job = make_job(status=JobStatus.FAILED)
    finish_when_asked(in_thread, job)
    body = delete(api, job, WAITING).json()
    assert (body["deleted"], body["cleanup_performed"]) == (True, False)
    assert body["message"] == "The job is deleted; what the job made stays in the project."


def test_while_nobody_works_it_is_202_with_numbers_and_what_went_wrong(api, make_job):
    job = make_job(1, status=JobStatus.COMPLETED)
    reply = cleanup(api, job)
    assert reply.status_code == 202
    assert (reply.json()["changed"], reply.json()["error"]) == (True, None)
    so_far = dict.fromkeys(KINDS, ZEROS) | {"sources": {"found": 3, "deleted": 2, "kept_shared": 1}}
    Job.objects.filter(pk=job.pk).update(removal=so_far, removal_error="The store does not answer.")
    body = cleanup(api, job).json()
    assert (body["changed"], body["sources_deleted"], body["receipt"]) == (False, 2, so_far)
    assert body["error"] == "The store does not answer."
    assert "retried automatically" in body["message"]
    job_now = api.get(f"/jobs/{job.pk}").json()
    assert job_now["removal_error"] == "The store does not answer."
    assert job_now["cleanup_requested_at"].endswith("Z") and job_now["cleaned_at"] is None


def test_without_a_preference_it_waits_a_moment(api, make_job, monkeypatch):
    looks = []
    monkeypatch.setattr(jobs_api, "REMOVAL_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(jobs_api.removal, "receipt_read", lambda seen: looks.append(1) or seen)
    reply = cleanup(api, make_job(1, status=JobStatus.COMPLETED), headers={})
    assert reply.status_code == 202 and looks
    assert "Preference-Applied" not in reply.headers


@pytest.mark.parametrize("send", [cleanup, delete])
def test_when_all_places_are_taken_it_is_202_at_once(api, make_job, monkeypatch, send):
    monkeypatch.setattr(waiting, "places", Places(0))
    monkeypatch.setattr(jobs_api.removal, "receipt_read", None)  # nobody looks
    reply = send(api, make_job(1, status=JobStatus.COMPLETED), headers=WAITING)
    assert reply.status_code == 202
    assert "Preference-Applied" not in reply.headers


# The table of section 3


@pytest.mark.parametrize("status", sorted(ACTIVE_JOB))
def test_active_jobs_are_cancelled_before_they_are_removed(api, make_job, status):
    job = make_job(3)
    in_flight = 0 if status is JobStatus.QUEUED else len(claimed(1))
    fields = {"cancel_requested_at": timezone.now()} if status is JobStatus.CANCELLING else {}
    Job.objects.filter(pk=job.pk).update(status=status.value, **fields)
    for reply in (cleanup(api, job), cleanup(api, job, {"delete_job": True}), delete(api, job)):
        problem = problem_of(reply, 409, "job_active")
        assert problem["job_status"] == status.value
    if status is JobStatus.CANCELLING:
        assert "1 item in flight" in problem["detail"]
    reply = delete(api, job, cleanup="true")
    assert (reply.status_code, reply.json()["changed"], reply.json()["deleted"]) == (202, True, False)
    assert api.get(f"/jobs/{job.pk}").json()["status"] == ("cancelling" if in_flight else "deleting")


@pytest.mark.parametrize("status", sorted(FINISHED_JOB))
def test_finished_jobs_can_be_cleaned_up_and_deleted(api, make_job, status):
    job = make_job(1, status=status)
    assert cleanup(api, job).status_code == 202
    joined = cleanup(api, job)
    assert (joined.status_code, joined.json()["changed"]) == (202, False)
    reply = delete(api, job)
    assert (reply.status_code, reply.json()["changed"]) == (202, True)
    assert api.get(f"/jobs/{job.pk}").json()["status"] == "deleting"


def test_a_cleaned_job_answers_zeros(api, make_job):
    job = make_job(1, status=JobStatus.COMPLETED, cleanup_requested_at=timezone.now())
    receipt = {kind: {"found": 5, "deleted": 5, "kept_shared": 0} for kind in KINDS}
    Job.objects.filter(pk=job.pk).update(cleaned_at=timezone.now(), removal=receipt)
    body = cleanup(api, job).json()
    assert (body["changed"], body["receipt"]) == (False, dict.fromkeys(KINDS, ZEROS))


def test_a_job_being_deleted(api, make_job):
    job = make_job(1, status=JobStatus.DELETING, delete_requested_at=timezone.now())
    problem_of(cleanup(api, job), 409, "job_deleting")
    problem_of(api.post(f"/jobs/{job.pk}/retry"), 409, "job_deleting")
    for query in ({}, {"cleanup": "true"}, {"cleanup": "false"}):
        reply = delete(api, job, **query)
        assert (reply.status_code, reply.json()["changed"], reply.json()["deleted"]) == (202, False, False)


# Bodies and permissions


@pytest.mark.parametrize("body", [None, {}, {"delete_job": None, "reason": None}, {"delete_job": False}])
def test_the_body_of_a_cleanup_may_be_anything_or_nothing(api, make_job, body):
    job = make_job(1, status=JobStatus.COMPLETED)
    assert cleanup(api, job, body).status_code == 202
    assert Job.objects.get(pk=job.pk).delete_requested_at is None


@pytest.mark.parametrize("body", [{"delete": True}, {"delete_job": "perhaps"}, [], {"reason": "x" * 501}])
def test_bad_bodies_are_422_and_remove_nothing(api, make_job, body):
    job = make_job(1, status=JobStatus.COMPLETED)
    problem_of(cleanup(api, job, body), 422)
    problem_of(delete(api, job, cleanup="perhaps"), 422)
    assert Job.objects.filter(pk=job.pk, cleanup_requested_at=None, delete_requested_at=None).exists()


def test_removing_both_needs_both_permissions(api_of, make_job):
    job = make_job(1, status=JobStatus.COMPLETED)
    cleaner, deleter = api_of("jobs.cleanup_job"), api_of("jobs.delete_job", name="deleter")
    problem = problem_of(cleanup(cleaner, job, {"delete_job": True}), 403, "forbidden")
    assert problem["permission"] == "jobs.delete_job"
    problem = problem_of(delete(deleter, job, cleanup="true"), 403, "forbidden")
    assert problem["permission"] == "jobs.cleanup_job"
    assert Job.objects.get(pk=job.pk).delete_requested_at is None
    both = api_of("jobs.cleanup_job", "jobs.delete_job", name="both")
    assert cleanup(both, job, {"delete_job": True}).status_code == 202
    assert delete(both, job, cleanup="true").status_code == 202


# Retry


def fail(job, key, reason):
    rows = WorkItem.objects.filter(job=job, key=key)
    rows.update(state=ItemState.FAILED.value, reason=reason.value, finished_at=datetime.now(UTC))


def test_retry_requeues_what_failed(api, make_job, sent):
    job = make_job(4, status=JobStatus.COMPLETED)
    WorkItem.objects.filter(job=job).update(state=ItemState.DONE.value, finished_at=timezone.now())
    problem_of(api.post(f"/jobs/{job.pk}/retry"), 409, "nothing_to_retry")
    fail(job, "item-0", Reason.TIMEOUT)
    fail(job, "item-1", Reason.DNS)
    problem_of(api.post(f"/jobs/{job.pk}/retry", {"reasons": ["tls"]}), 409, "nothing_to_retry")
    problem_of(api.post(f"/jobs/{job.pk}/retry", {"reasons": ["timeout"], "hosts": ["a.example"]}), 409)
    reply = api.post(f"/jobs/{job.pk}/retry", {"reasons": ["timeout", "tls"], "hosts": None})
    assert reply.status_code == 202
    assert reply.json() == {
        "job_id": str(job.pk),
        "status": "queued",
        "requeued": 1,
        "message": "The job is queued again, with 1 item to retry.",
    }
    problem_of(api.post(f"/jobs/{job.pk}/retry"), 409, "job_active")
    assert api.get(f"/jobs/{job.pk}").json()["counts"] == {"pending": 1, "failed": 1, "done": 2}


def test_retry_by_host(api, make_job):
    job = make_job(2, status=JobStatus.COMPLETED, lane="host:a.example")
    fail(job, "item-0", Reason.TIMEOUT)
    problem_of(api.post(f"/jobs/{job.pk}/retry", {"hosts": ["b.example"]}), 409, "nothing_to_retry")
    assert api.post(f"/jobs/{job.pk}/retry", {"hosts": ["a.example"]}).json()["requeued"] == 1


@pytest.mark.parametrize("body", [None, {}, {"reasons": None, "hosts": []}])
def test_retry_of_a_cancelled_job(api, make_job, body):
    job = make_job(3)
    api.post(f"/jobs/{job.pk}/cancel")
    reply = api.post(f"/jobs/{job.pk}/retry", body)
    assert (reply.status_code, reply.json()["requeued"]) == (202, 3)


@pytest.mark.parametrize("body", [{"reasons": ["bored"]}, {"reasons": "timeout"}, {"hosts": [1]}, {"only": []}])
def test_bad_retries_are_422(api, make_job, body):
    problem_of(api.post(f"/jobs/{make_job(1, status=JobStatus.FAILED).pk}/retry", body), 422)


def test_retry_after_or_during_a_cleanup(api, make_job):
    job = make_job(1, status=JobStatus.FAILED)
    cleanup(api, job)
    problem_of(api.post(f"/jobs/{job.pk}/retry"), 409, "cleanup_running")
    Job.objects.filter(pk=job.pk).update(cleaned_at=timezone.now())
    problem_of(api.post(f"/jobs/{job.pk}/retry"), 409, "no_artifacts")


# Cancelling, and waiting for it


@pytest.mark.django_db(transaction=True)
def test_cancel_waits_when_it_is_preferred(api, make_job, in_thread):
    job = make_job(3)
    claims = claimed(1)

    def abort():
        until(lambda: Job.objects.filter(pk=job.pk, status="cancelling").exists(), "the cancel")
        WorkItem.objects.filter(pk=claims[0].id).update(
            state=ItemState.DONE.value, lease=None, lease_until=None, finished_at=timezone.now()
        )
        return job_end_if_done(job.pk)

    side = in_thread(abort)
    reply = api.send("POST", f"/jobs/{job.pk}/cancel", None, WAITING)
    assert side.result() is JobStatus.CANCELLED
    assert (reply.status_code, reply.json()["status"]) == (200, "cancelled")
    assert reply.headers["Preference-Applied"] == "wait=30"
    body = reply.json()
    assert (body["changed"], body["skipped"], body["in_flight"], body["done"]) == (True, 2, 0, 1)
    assert body["message"] == "The job is cancelled, with 2 items skipped."


def test_cancel_waits_no_longer_than_preferred(api, make_job):
    job = make_job(3)
    claimed(1)
    reply = api.send("POST", f"/jobs/{job.pk}/cancel", None, {"Prefer": "wait=1"})
    assert (reply.status_code, reply.headers["Preference-Applied"]) == (202, "wait=1")
    assert reply.json()["in_flight"] == 1


def test_cancel_of_a_job_that_vanishes_meanwhile(api, make_job, monkeypatch):
    job = make_job(3)
    claimed(1)
    monkeypatch.setattr("jobs.api.cancel.job_status", lambda job_id: None)
    reply = api.send("POST", f"/jobs/{job.pk}/cancel", None, WAITING)
    assert (reply.status_code, reply.json()["status"]) == (202, "deleting")
