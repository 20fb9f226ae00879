"""Cleaning up and deleting over REST with real rows and real vectors: the numbers are exact, and nothing is left."""

import pytest
from django.utils import timezone

from crawling.models import Source, SourceHold
from extraction.models import Extraction, Passage
from jobs.control.removal_work import removal_finish
from jobs.models import Job
from tests.helpers.knowledge import all_ids
from tests.helpers.threads import until

pytestmark = pytest.mark.django_db(transaction=True)

WAITING = {"Prefer": "wait=30"}


@pytest.fixture
def made(knowledge, store, drained):
    """Let a completed job have made two sources, two extractions and three passages; another holds one source."""
    other = Job.objects.create(project=knowledge.project, kind="crawl")
    shared = knowledge.make_source("https://a.test/shared")
    for source in (knowledge.source, shared):
        SourceHold.objects.create(source=source, job=knowledge.job)
    SourceHold.objects.create(source=shared, job=other)
    knowledge.extraction({"price": "1"})
    knowledge.extraction({"price": "2"})
    knowledge.passages(3)
    now = timezone.now()
    Job.objects.filter(pk=knowledge.job.pk).update(status="completed", completed_at=now, result={})
    drained()
    assert len(all_ids(store)) == 5
    return knowledge


def act(in_thread, job):
    """Be the actor, in a thread: finish the removal as soon as it was asked for."""

    def work():
        untouched = Job.objects.filter(pk=job.pk, cleanup_requested_at=None, delete_requested_at=None)
        until(lambda: not untouched.exists(), "the removal was asked for")
        return removal_finish(job.pk)

    return in_thread(work)


def test_a_dry_run_then_a_cleanup_then_a_deletion(api, made, store, in_thread):
    job_ids = [str(made.job.pk)]
    preview = api.post("/jobs/bulk/cleanup", {"job_ids": job_ids, "dry_run": True}).json()
    assert preview["artifacts"] == {"extractions": 2, "sources": 2, "vectors": 5}
    actor = act(in_thread, made.job)
    reply = api.send("POST", f"/jobs/{made.job.pk}/cleanup", {}, WAITING)
    assert (reply.status_code, actor.result()) == (200, True)
    body = reply.json()
    assert body["receipt"] == {
        "sources": {"found": 2, "deleted": 1, "kept_shared": 1},
        "extractions": {"found": 2, "deleted": 2, "kept_shared": 0},
        "passages": {"found": 3, "deleted": 3, "kept_shared": 0},
        "vectors": {"found": 5, "deleted": 5, "kept_shared": 0},
    }
    numbers = {"sources_deleted": 1, "extractions_deleted": 2, "embeddings_deleted": 5, "dlq_items_deleted": 0}
    assert {name: body[name] for name in numbers} == numbers
    assert (Extraction.objects.count(), Passage.objects.count(), Source.objects.count()) == (0, 0, 1)
    assert all_ids(store) == []
    again = api.send("POST", f"/jobs/{made.job.pk}/cleanup").json()
    assert {name: again[name] for name in numbers} == dict.fromkeys(numbers, 0)
    side = in_thread(removal_after_delete, made.job)
    deleted = api.send("DELETE", f"/jobs/{made.job.pk}", None, WAITING)
    assert (deleted.status_code, deleted.json()["deleted"], side.result()) == (200, True, True)


def removal_after_delete(job):
    until(lambda: Job.objects.filter(pk=job.pk, status="deleting").exists(), "the deletion was asked for")
    return removal_finish(job.pk)


def test_a_deletion_with_cleanup_counts_the_same(api, made, store, in_thread):
    act(in_thread, made.job)
    reply = api.send("DELETE", f"/jobs/{made.job.pk}", None, WAITING, cleanup="true")
    assert reply.status_code == 200, reply.content
    body = reply.json()
    assert (body["deleted"], body["cleanup_performed"]) == (True, True)
    assert body["cleanup_stats"] == {
        "sources_deleted": 1,
        "extractions_deleted": 2,
        "embeddings_deleted": 5,
        "dlq_items_deleted": 0,
    }
    assert not Job.objects.filter(pk=made.job.pk).exists()
    assert all_ids(store) == []


def test_a_deletion_without_cleanup_leaves_all_to_the_project(api, made, store, in_thread):
    act(in_thread, made.job)
    body = api.send("DELETE", f"/jobs/{made.job.pk}", None, WAITING).json()
    assert (body["deleted"], body["cleanup_performed"]) == (True, False)
    assert set(body["cleanup_stats"].values()) == {0}
    assert (Extraction.objects.count(), Passage.objects.count(), Source.objects.count()) == (2, 3, 2)
    assert len(all_ids(store)) == 5
