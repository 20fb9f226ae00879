"""Cleanup and delete with real rows and the real vector store: what goes, what stays, and that it is proven."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest
from django.utils import timezone

from crawling.models import Source
from extraction.audit import compare
from extraction.models import Extraction, Passage, VectorChange
from extraction.search.hybrid import search
from jobs.control import end, removal, removal_work
from jobs.errors import Conflict, NotFound
from jobs.ledger.claims import items_release
from jobs.ledger.items import items_add
from jobs.models import Job, JobEvent, Project, WorkItem, new_id
from jobs.queries.waiting import seen_when_over
from jobs.registry import chores, owners
from jobs.states import JobStatus
from jobs.worker import healing
from tests.helpers.factories import status_of
from tests.helpers.made_jobs import (
    claims_of,
    cleaned_up,
    crawled,
    extracted,
    is_gone,
    points,
    receipt,
    rows_left,
    source_ids,
    vectors_caught_up,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]

NOTHING = {"sources": (0, 0, 0), "extractions": (0, 0, 0), "passages": (0, 0, 0), "vectors": (0, 0, 0)}
GONE = {"holds": 0, "sources": 0, "contents": 0, "passages": 0, "extractions": 0}


def found_urls(project: Project, query: str = "how much water the river carries") -> set[str]:
    """Return the paths of the sources that answer."""
    return {hit.source_url.removeprefix("http://h.test") for hit in search(project_id=project.pk, query=query).hits}


def test_a_crawl_is_cleaned_up_and_the_store_proves_it(project: Project) -> None:
    job = crawled(project, "/a", "/b", "/c")
    extraction = extracted(project, source_ids(project).values())
    vectors_caught_up()
    passages = Passage.objects.count()
    assert (points(job), points(extraction), passages >= 3) == (passages, 3, True)
    assert cleaned_up(job) == {
        "sources": (3, 3, 0),
        "extractions": (3, 3, 0),
        "passages": (passages, passages, 0),
        "vectors": (passages + 3, passages + 3, 0),
    }
    assert (rows_left(), points()) == (GONE, 0)
    job.refresh_from_db()
    assert (job.status, job.removal_error) == ("completed", "")
    assert job.cleaned_at is not None
    assert WorkItem.objects.filter(job=job).count() == 3  # the job, its items and its history stay
    events = list(JobEvent.objects.filter(job=job).order_by("id").values_list("action", "actor", "reason"))
    assert events[-2:] == [("cleanup", "ada", "no longer needed"), ("cleaned", "", "")]
    assert not VectorChange.objects.exists()


def test_repeating_a_cleanup_gives_zeros_and_keeps_the_history(project: Project) -> None:
    job = crawled(project, "/a")
    first = cleaned_up(job)
    again = removal.job_cleanup(job_id=job.pk)
    assert (again.changed, again.finished, again.removal) == (False, True, owners.nothing_removed())
    assert removal_work.removal_finish(job.pk)
    assert receipt(job) == first
    assert JobEvent.objects.filter(job=job, action="cleaned").count() == 1


def test_rows_whose_points_were_never_written_leave_no_point(project: Project) -> None:
    job = crawled(project, "/a", "/b")
    assert VectorChange.objects.filter(job_id=job.pk, operation="upsert").exists()
    cleaned_up(job)
    assert (rows_left(), points(), VectorChange.objects.count()) == (GONE, 0, 0)


def test_shared_sources_are_kept_counted_and_handed_over(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A and B both fetched /a and /b; A wrote them, and only A has /c. It takes no audit of the whole store."""
    monkeypatch.setattr(compare, "audit", None)
    first = crawled(project, "/a", "/b", "/c")
    second = crawled(project, "/a", "/b")
    vectors_caught_up()
    assert points(second) == 0
    kept = Passage.objects.filter(source__url__in=["http://h.test/a", "http://h.test/b"]).count()
    numbers = cleaned_up(first)
    assert numbers["sources"] == (3, 1, 2)
    assert (points(first), points(second), points()) == (0, kept, kept)
    assert set(source_ids(project)) == {"/a", "/b"}
    assert set(Source.objects.values_list("job_id", flat=True)) == {second.pk}
    assert set(Passage.objects.values_list("job_id", flat=True)) == {second.pk}
    assert found_urls(project) == {"/a", "/b"}
    assert cleaned_up(second)["sources"] == (2, 2, 0)
    assert (rows_left(), points()) == (GONE, 0)


def test_a_page_that_another_job_wrote_anew_stays_with_all_its_passages(project: Project) -> None:
    first = crawled(project, "/a", "/b")
    second = crawled(project, "/a", text="The new gauge transmits by radio every fifteen minutes.")
    vectors_caught_up()
    before = set(Passage.objects.filter(job=second).values_list("pk", flat=True))
    assert cleaned_up(first)["sources"] == (2, 1, 1)
    assert set(Passage.objects.values_list("pk", flat=True)) == before != set()
    assert found_urls(project, "radio transmission of the gauge") == {"/a"}


def test_an_extraction_takes_exactly_its_own(project: Project) -> None:
    crawl = crawled(project, "/a", "/b")
    ids = source_ids(project)
    mine = extracted(project, [ids["/a"]])
    others = extracted(project, [ids["/b"]])
    vectors_caught_up()
    passages = points(crawl)
    assert cleaned_up(mine) == NOTHING | {"extractions": (1, 1, 0), "vectors": (1, 1, 0)}
    assert list(Extraction.objects.values_list("job_id", flat=True)) == [others.pk]
    assert (points(mine), points(others), points(crawl)) == (0, 1, passages)
    assert Source.objects.get(pk=ids["/a"]).extracted_version is None
    assert Source.objects.get(pk=ids["/b"]).extracted_version == 1


def test_an_adopted_source_stays(project: Project) -> None:
    first = crawled(project, "/a", "/b")
    Source.objects.filter(url__endswith="/a").update(adopted_at=timezone.now())
    vectors_caught_up()
    assert cleaned_up(first)["sources"] == (2, 1, 1)
    kept = Source.objects.get()
    assert (kept.url, kept.job_id, points(first)) == ("http://h.test/a", None, 0)
    assert found_urls(project) == {"/a"}


def test_delete_without_cleanup_leaves_everything_to_the_project(project: Project) -> None:
    job = crawled(project, "/a", "/b")
    extraction = extracted(project, source_ids(project).values())
    vectors_caught_up()
    before, stored = rows_left(), points()
    for one in (extraction, job):
        asked = removal.job_delete(job_id=one.pk, actor="ada", reason="done with")
        assert (asked.changed, asked.finished, asked.cleanup_requested) == (True, False, False)
        assert removal_work.removal_finish(one.pk)
        done = removal.receipt_read(asked)
        assert (done.finished, done.job_deleted, receipt(one)) == (True, True, NOTHING)
        assert is_gone(one)
    assert rows_left() == before | {"holds": 0}
    assert Source.objects.filter(job=None, adopted_at__isnull=False).count() == 2
    assert found_urls(project) == {"/a", "/b"}
    vectors_caught_up()
    assert (points(), points(job, extraction)) == (stored, 0)
    told = list(JobEvent.objects.filter(job_id=job.pk).order_by("id").values_list("action", "actor"))
    assert told[-3:] == [("delete", "ada"), ("deleting", "ada"), ("deleted", "")]


def test_what_a_deleted_job_left_outlives_the_next_holder_as_well(project: Project) -> None:
    """The project's hold takes the place of the first job's, also on pages that a second job holds."""
    first, second = crawled(project, "/a"), crawled(project, "/a")
    removal.job_delete(job_id=first.pk)
    assert removal_work.removal_finish(first.pk)
    assert cleaned_up(second)["sources"] == (1, 0, 1)
    vectors_caught_up()
    assert found_urls(project) == {"/a"}


def test_delete_with_cleanup_leaves_nothing_but_the_history(project: Project) -> None:
    job = crawled(project, "/a", "/b")
    vectors_caught_up()
    asked = removal.job_delete(job_id=job.pk, cleanup=True)
    assert removal_work.removal_finish(job.pk)
    done = removal.receipt_read(asked)
    assert (done.finished, done.job_deleted, done.cleanup_requested, done.deleted("sources")) == (True, True, True, 2)
    assert (rows_left(), points(), is_gone(job)) == (GONE, 0, True)
    assert receipt(job)["sources"] == (2, 2, 0)
    with pytest.raises(NotFound, match="may have been deleted"):
        removal.job_delete(job_id=job.pk)


def test_delete_after_a_cleanup(project: Project) -> None:
    job = crawled(project, "/a")
    cleaned_up(job)
    removal.job_delete(job_id=job.pk)
    assert removal_work.removal_finish(job.pk)
    assert is_gone(job)


def messages(sent: Any) -> list[str]:
    return [arguments[0] for actor, arguments, _ in sent.messages if actor == "finish_removal"]


def test_an_active_job_is_cancelled_first_and_the_rest_happens_by_itself(project: Project, sent: Any) -> None:
    job = crawled(project, "/a", ends=False)
    Job.objects.filter(pk=job.pk).update(status="running")
    busy = crawled_further(job)
    asked = removal.job_delete(job_id=job.pk, cleanup=True, actor="ada", reason="wrong site")
    assert (asked.changed, asked.finished, status_of(job)) == (True, False, "cancelling")
    assert not removal_work.removal_finish(job.pk)  # not yet: one page is still in flight
    assert (rows_left()["sources"], messages(sent)) == (1, [])
    again = removal.job_delete(job_id=job.pk, cleanup=True)
    assert (again.changed, again.finished) == (False, False)
    busy()
    assert end.job_end_if_done(job.pk) is JobStatus.CANCELLED
    assert messages(sent) == [str(job.pk)]
    assert removal_work.removal_finish(job.pk)
    assert (is_gone(job), rows_left()) == (True, GONE)
    events = JobEvent.objects.filter(job_id=job.pk).order_by("id").values_list("from_status", "to_status")
    moves = [f"{start} to {to or 'gone'}" for start, to in events if start != to]
    assert moves == ["running to cancelling", "cancelling to cancelled", "cancelled to deleting", "deleting to gone"]


def crawled_further(job: Job) -> Callable[[], None]:
    """Claim one more page of the job; return what releases the claim."""
    from crawling.work.items import page_item
    from jobs.postgres.transactions import retried

    retried(lambda: items_add(job.pk, [page_item("http://h.test/more", depth=1)]))
    claims = claims_of(job)
    assert len(claims) == 1
    return lambda: items_release(claims) and None


def test_healing_sends_lost_finishers_again(project: Project, sent: Any) -> None:
    cleaning, deleting, idle = crawled(project, "/a"), crawled(project, "/b"), crawled(project, "/c")
    removal.job_cleanup(job_id=cleaning.pk)
    removal.job_delete(job_id=deleting.pk)
    assert messages(sent) == [str(cleaning.pk), str(deleting.pk)]
    sent.messages.clear()  # lost
    healing.heal()
    assert sorted(messages(sent)) == sorted([str(cleaning.pk), str(deleting.pk)])
    for job in (cleaning, deleting):
        removal_work.removal_finish(job.pk)
    sent.messages.clear()
    healing.heal()
    assert (messages(sent), status_of(idle)) == ([], "completed")


def test_healing_moves_on_what_was_cancelled_to_be_deleted(project: Project, sent: Any) -> None:
    """The last worker died between the end of the job and the message."""
    job = crawled(project, "/a")
    Job.objects.filter(pk=job.pk).update(
        status="cancelled", delete_requested_at=timezone.now(), cleanup_requested_at=timezone.now()
    )
    healing.heal()
    assert messages(sent) == [str(job.pk)]
    assert removal_work.removal_finish(job.pk)
    assert (is_gone(job), rows_left()) == (True, GONE)


def test_healing_sends_a_bounded_number(project: Project, sent: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [crawled(project, f"/{n}") for n in range(3)]
    Job.objects.update(cleanup_requested_at=timezone.now())
    monkeypatch.setattr(healing, "MAX_REMOVALS", 2)
    assert healing.removals_rewake() == 2
    assert set(messages(sent)) < {str(job.pk) for job in jobs}


def test_a_child_job_survives_its_parent(project: Project) -> None:
    parent, child = crawled(project, "/a"), crawled(project, "/b")
    Job.objects.filter(pk=child.pk).update(parent=parent)
    removal.job_delete(job_id=parent.pk, cleanup=True)
    assert removal_work.removal_finish(parent.pk)
    child.refresh_from_db()
    assert (child.parent_id, child.status, set(source_ids(project))) == (None, "completed", {"/b"})


def test_a_delete_asked_for_while_the_cleanup_runs_is_carried_out_as_well(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = crawled(project, "/a")
    removal.job_cleanup(job_id=job.pk)
    real = removal_work._confirm_gone

    def ask_meanwhile(job_id: Any) -> None:
        removal.job_delete(job_id=job_id)
        real(job_id)

    monkeypatch.setattr(removal_work, "_confirm_gone", ask_meanwhile)
    assert removal_work.removal_finish(job.pk)
    assert (is_gone(job), rows_left(), receipt(job)["sources"]) == (True, GONE, (1, 1, 0))


def test_nothing_is_finished_that_nobody_asked_for(project: Project) -> None:
    job = crawled(project, "/a")
    assert not removal_work.removal_finish(job.pk)
    assert not removal_work.removal_finish(new_id())
    assert (status_of(job), rows_left()["sources"]) == ("completed", 1)


def test_cleanup_with_delete_wants_a_finished_job(project: Project) -> None:
    job = crawled(project, "/a", ends=False)
    with pytest.raises(Conflict, match="cancel it or let it finish") as refusal:
        removal.job_cleanup(job_id=job.pk, delete_job=True)
    assert refusal.value.code == "job_active"
    assert end.job_end_if_done(job.pk) is JobStatus.COMPLETED
    removal.job_cleanup(job_id=job.pk, delete_job=True)
    assert removal_work.removal_finish(job.pk)
    assert (is_gone(job), rows_left(), chores.is_idle()) == (True, GONE, True)


def test_waiting_for_a_removal_ends_with_it_or_with_the_time(project: Project) -> None:
    job = crawled(project, "/a")
    asked = removal.job_cleanup(job_id=job.pk)
    waited = seen_when_over(asked, removal.receipt_read, attrgetter("finished"), seconds=0.01)
    assert (waited.finished, waited.changed, waited.removal) == (False, True, owners.nothing_removed())
    removal_work.removal_finish(job.pk)
    done = seen_when_over(asked, removal.receipt_read, attrgetter("finished"), seconds=20)
    assert (done.finished, done.job_deleted, done.deleted("sources")) == (True, False, 1)
