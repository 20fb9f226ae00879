"""Removals that are interrupted anywhere, or meet others at work on the same rows and points."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
import pytest
from django.db import transaction

from crawling.models import Source, SourceHold
from crawling.sources.owner import SourceOwner
from crawling.work.items import page_item
from extraction.models import Extraction, Passage, VectorChange
from extraction.owners.vector_owner import VectorOwner
from extraction.states import VectorOperation
from extraction.vectors import outbox, process_store
from extraction.vectors.drain import drain_once
from extraction.vectors.stores.base import StoreUnavailable
from jobs.control import end, removal, removal_work
from jobs.control.removal_work import StillThere
from jobs.errors import Unavailable
from jobs.ledger import settle
from jobs.ledger.items import items_add
from jobs.models import Job, JobEvent, Project, WorkItem
from jobs.postgres.transactions import retried
from jobs.states import JobStatus
from jobs.worker import healing
from tests.helpers.factories import status_fields
from tests.helpers.knowledge import Pause, time_passes
from tests.helpers.made_jobs import (
    HOST,
    claims_of,
    cleaned_up,
    crawled,
    extracted,
    is_gone,
    page,
    points,
    receipt,
    rows_left,
    source_ids,
    vectors_caught_up,
)
from tests.helpers.threads import Side, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("store")]
InThread = Callable[..., Side]
GONE = {"holds": 0, "sources": 0, "contents": 0, "passages": 0, "extractions": 0}


class Killed(BaseException):
    """As Dramatiq's interrupts: no `Exception`."""


def tripped(
    real: Callable[..., Any], error: BaseException, *, calls: int = 1, late: bool = False
) -> Callable[..., Any]:
    """Return `real` with its call number `calls` failing, before it does its work or, `late`, after."""
    made = []

    def call(*args: Any, **kwargs: Any) -> Any:
        made.append(1)
        result = real(*args, **kwargs) if late or len(made) != calls else None
        if len(made) == calls:
            raise error
        return result

    return call


# Where it breaks, how it is made to break there, and what was there by then: chunks of two, five sources.
BREAKS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "after the first chunk": (SourceOwner, "remove_chunk", {"calls": 2}),
    "in a chunk, its rows deleted": (SourceOwner, "remove_chunk", {"calls": 2, "late": True}),
    "before a receipt": (removal_work, "_add_to_receipt", {"calls": 2}),
    "in a chunk, its receipt written": (removal_work, "_add_to_receipt", {"calls": 2, "late": True}),
    "between rows and vectors": (removal_work, "_confirm_gone", {}),
    "with the vectors gone": (VectorOwner, "work_off", {"late": True}),
    "before it is marked cleaned": (removal_work, "_mark_cleaned", {}),
    "cleaned, before the transaction ends": (removal_work, "_mark_cleaned", {"late": True}),
    "before the job's row": (removal_work, "_delete_row", {}),
    "the job's row deleted, before the transaction ends": (removal_work, "_delete_row", {"late": True}),
}


@pytest.mark.parametrize("kill", [False, True], ids=["fails", "killed"])
@pytest.mark.parametrize("where", BREAKS)
def test_what_breaks_anywhere_is_finished_by_repeating(
    project: Project, monkeypatch: pytest.MonkeyPatch, sent: Any, where: str, kill: bool
) -> None:
    job = crawled(project, *(f"/{n}" for n in range(5)))
    extracted(project, source_ids(project).values())
    vectors_caught_up()
    expected = points()
    removal.job_delete(job_id=job.pk, cleanup=True)
    owner, name, how = BREAKS[where]
    monkeypatch.setattr(removal_work, "ARTIFACTS_PER_STEP", 2)
    error = Killed() if kill else RuntimeError("the disk is full")
    with monkeypatch.context() as broken:
        broken.setattr(owner, name, tripped(getattr(owner, name), error, **how))
        with pytest.raises(type(error)):
            removal_work.removal_finish(job.pk)
    row = Job.objects.get(pk=job.pk)
    assert (row.status, row.removal_error) == ("deleting", "" if kill else "Unexpected RuntimeError: the disk is full.")
    sent.messages.clear()
    healing.heal()
    assert ("finish_removal", (str(job.pk),), None) in sent.messages
    assert removal_work.removal_finish(job.pk)
    assert (is_gone(job), rows_left(), points()) == (True, GONE, 0)
    assert receipt(job) == {
        "sources": (5, 5, 0),
        "extractions": (5, 5, 0),
        "passages": (expected - 5, expected - 5, 0),
        "vectors": (expected, expected, 0),
    }
    assert JobEvent.objects.filter(job_id=job.pk, action="deleted").count() == 1


@contextmanager
def unavailable(monkeypatch: pytest.MonkeyPatch, name: str) -> Iterator[None]:
    def down(*args: Any, **kwargs: Any) -> Any:
        raise StoreUnavailable("the vector store does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(process_store.store(), name, down, raising=False)
        yield


@pytest.mark.parametrize("name", ["delete", "count"])
def test_an_outage_of_the_store_is_told_and_waited_for(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    job = crawled(project, "/a", "/b")
    vectors_caught_up()
    stored = points()
    asked = removal.job_cleanup(job_id=job.pk)
    with unavailable(monkeypatch, name), pytest.raises(Unavailable):
        removal_work.removal_finish(job.pk)
    now = removal.receipt_read(asked)
    assert (now.finished, now.deleted("sources"), rows_left()) == (False, 2, GONE)
    assert "the vector store does not answer" in now.error
    assert Job.objects.get(pk=job.pk).cleaned_at is None
    time_passes()  # the back-off of what was given back
    assert removal_work.removal_finish(job.pk)
    done = removal.receipt_read(asked)
    assert (done.finished, done.error, points(), receipt(job)["vectors"]) == (True, "", 0, (stored, stored, 0))


def test_a_point_written_late_by_a_drainer_goes_as_well(project: Project, in_thread: InThread) -> None:
    """The page is removed after its row was read and before its point is written."""
    job = crawled(project, "/a")
    pause = Pause()
    process_store.store().before_upsert = pause
    drainer = in_thread(drain_once, VectorOperation.UPSERT)
    pause.wait_reached()
    removal.job_cleanup(job_id=job.pk)
    finisher = in_thread(removal_work.removal_finish, job.pk)
    until(lambda: VectorChange.objects.filter(operation="delete").exists(), "the rows are removed")
    assert Job.objects.get(pk=job.pk).cleaned_at is None
    pause.end()
    drainer.result()
    assert finisher.result()
    assert (rows_left(), points(), VectorChange.objects.count()) == (GONE, 0, 0)


def test_points_that_others_made_of_the_pages_are_waited_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An extraction's point belongs to another job, yet the crawl's cleanup takes it along and says so when it is."""
    job = crawled(project, "/a")
    extracted(project, source_ids(project).values())
    vectors_caught_up()
    Extraction.objects.update(data={"name": "changed"})
    dead = outbox.changes_claim(VectorOperation.UPSERT, limit=10)  # a drainer that holds its change and never ends
    assert dead is not None
    monkeypatch.setattr(removal_work, "CONFIRM_SECONDS", 0.2)
    removal.job_cleanup(job_id=job.pk)
    with pytest.raises(StillThere, match="not all deleted yet: 1 left"):
        removal_work.removal_finish(job.pk)
    assert (rows_left(), points()) == (GONE, 1)
    assert "not all deleted yet" in Job.objects.get(pk=job.pk).removal_error
    time_passes(lease_until=True)
    with pytest.raises(StillThere):  # applied, and applied once more when no late write can come any more
        removal_work.removal_finish(job.pk)
    time_passes()
    assert removal_work.removal_finish(job.pk)
    assert (points(), Job.objects.get(pk=job.pk).removal_error) == (0, "")


def test_two_finishers_at_once(project: Project, monkeypatch: pytest.MonkeyPatch, in_thread: InThread) -> None:
    job = crawled(project, "/a", "/b")
    removal.job_cleanup(job_id=job.pk)
    pause = Pause()
    real = removal_work._confirm_gone
    monkeypatch.setattr(removal_work, "_confirm_gone", lambda job_id: (pause(job_id), real(job_id)))
    first = in_thread(removal_work.removal_finish, job.pk)
    pause.wait_reached()
    assert not removal_work.removal_finish(job.pk)
    pause.end()
    assert first.result()
    assert receipt(job)["sources"] == (2, 2, 0)
    assert JobEvent.objects.filter(job=job, action="cleaned").count() == 1


def fetching(project: Project, path: str, text: str = "") -> tuple[Job, list[Any]]:
    """Return a running crawl and the outcome of its one page, not settled yet."""
    job = Job.objects.create(project=project, kind="crawl", payload={"source_group": "g"})
    Job.objects.filter(pk=job.pk).update(**status_fields(JobStatus.RUNNING))
    retried(lambda: items_add(job.pk, [page_item(HOST + path, depth=0)]))
    return job, [page(claim, text=text) for claim in claims_of(job)]


@pytest.mark.parametrize("text", ["", "The page was written anew."], ids=["same", "changed"])
def test_a_settle_that_waits_for_a_cleanup_stores_the_page_anew(
    project: Project, in_thread: InThread, text: str
) -> None:
    first = crawled(project, "/a")
    vectors_caught_up()
    before = set(Passage.objects.values_list("pk", flat=True))
    second, outcomes = fetching(project, "/a", text)
    removal.job_cleanup(job_id=first.pk)
    with transaction.atomic():
        assert removal_work._remove_chunk(SourceOwner(), first.pk)
        settling = in_thread(settle.outcomes_settle, second.pk, outcomes)
        settling.wait_blocked()
    assert settling.result().written == 1
    assert removal_work.removal_finish(first.pk)
    assert receipt(first)["sources"] == (1, 1, 0)
    only = Source.objects.get()
    assert (only.job_id, SourceHold.objects.get().job_id) == (second.pk, second.pk)
    now = set(Passage.objects.filter(source=only, job=second).values_list("pk", flat=True))
    assert now
    assert not now & before
    vectors_caught_up()
    assert (points(first), points(second)) == (0, len(now))


@pytest.mark.parametrize("text", ["", "The page was written anew."], ids=["same", "changed"])
def test_a_cleanup_that_waits_for_a_settle_keeps_the_page(project: Project, in_thread: InThread, text: str) -> None:
    first = crawled(project, "/a")
    second, outcomes = fetching(project, "/a", text)
    removal.job_cleanup(job_id=first.pk)
    with transaction.atomic():
        assert settle.outcomes_settle(second.pk, outcomes).written == 1
        finisher = in_thread(removal_work.removal_finish, first.pk)
        finisher.wait_blocked()
    assert finisher.result()
    assert receipt(first)["sources"] == (1, 0, 1)
    assert (SourceHold.objects.get().job_id, Source.objects.get().job_id) == (second.pk, second.pk)
    assert set(Passage.objects.values_list("job_id", flat=True)) == {second.pk}
    vectors_caught_up()
    assert (points(first), points(second)) == (0, Passage.objects.count())


def test_the_cleanups_of_two_holders_at_once_leave_nothing(project: Project, in_thread: InThread) -> None:
    first, second = crawled(project, "/a", "/b"), crawled(project, "/a", "/b")
    removal.job_cleanup(job_id=first.pk)
    removal.job_cleanup(job_id=second.pk)
    with transaction.atomic():
        assert removal_work._remove_chunk(SourceOwner(), first.pk)
        other = in_thread(removal_work.removal_finish, second.pk)
        other.wait_blocked()
    assert other.result()
    assert removal_work.removal_finish(first.pk)
    assert (receipt(first)["sources"], receipt(second)["sources"]) == ((2, 0, 2), (2, 2, 0))
    assert (rows_left(), points()) == (GONE, 0)


def test_an_extraction_of_a_page_that_goes_meanwhile_is_skipped(project: Project, in_thread: InThread) -> None:
    crawl = crawled(project, "/a")
    made = extracted(project, source_ids(project).values())
    cleaned_up(made)
    job = Job.objects.create(project=project, kind="extract", payload=made.payload)
    Job.objects.filter(pk=job.pk).update(**status_fields(JobStatus.RUNNING))
    from extraction.work.kind import source_item
    from extraction.work.store import ExtractionWrite
    from jobs.registry import kinds

    source = Source.objects.get()
    retried(lambda: items_add(job.pk, [source_item(source.pk)]))
    write = ExtractionWrite(source.pk, source.content_hash, made.payload["schema_version_id"], 1, ("p",), True, ())
    outcomes = [kinds.done(claim, write=write) for claim in claims_of(job)]
    removal.job_cleanup(job_id=crawl.pk)
    with transaction.atomic():
        assert removal_work._remove_chunk(SourceOwner(), crawl.pk)
        settling = in_thread(settle.outcomes_settle, job.pk, outcomes)
        settling.wait_blocked()
    assert settling.result().written == 1
    assert WorkItem.objects.filter(job=job).values_list("state", "reason").get() == ("skipped", "source_gone")


def test_the_actor_finishes_a_deletion_once_the_last_worker_is_out(project: Project, broker: Any) -> None:
    job, outcomes = fetching(project, "/a")
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=20)
    worker.start()
    try:
        removal.job_delete(job_id=job.pk, cleanup=True)
        assert settle.outcomes_settle(job.pk, outcomes).written == 1  # it was in flight: kept, then cleaned up
        assert end.job_end_if_done(job.pk) is JobStatus.CANCELLED
        until(lambda: is_gone(job), "the actor finishes the deletion")
    finally:
        worker.stop()
    assert receipt(job)["sources"] == (1, 1, 0)
    assert (rows_left(), points()) == (GONE, 0)
