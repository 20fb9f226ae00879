"""Extraction while somebody fetches, removes or extracts the same sources."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from crawling.models import Source, SourceHold
from crawling.sources.owner import SourceOwner
from extraction.models import Extraction
from extraction.work import worker
from extraction.work.kind import Extract
from extraction.work.submission import extract_submit
from jobs.ledger import settle
from jobs.ledger.claims import items_claim
from jobs.ledger.moves import job_lock, job_start
from jobs.models import Job, Project, WorkItem
from jobs.registry.kinds import JobRef
from tests.helpers.crawls import drive, lanes_of
from tests.helpers.extractions import extract, fetching_job, found, page_store, product, states
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db(transaction=True)
InThread = Callable[..., Side]


def test_a_page_that_changes_meanwhile_is_read_again(
    project: Project, crawl: JobRef, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = page_store(crawl, "/mug", product("Old mug"))
    seen: list[str] = []
    real = worker.page_extract

    def while_it_is_fetched_anew(page: Any, *rest: Any) -> Any:
        seen.append(page.title)
        if len(seen) == 1:
            in_thread(page_store, crawl, "/mug", product("New mug")).result()
        return real(page, *rest)

    monkeypatch.setattr(worker, "page_extract", while_it_is_fetched_anew)
    job = extract(project)
    assert seen == ["Old mug", "New mug"]
    assert found(source)["product"] == {"name": "New mug"}
    assert Extraction.objects.filter(source=source).count() == 2
    assert (states(job), WorkItem.objects.get(job=job).attempts) == ({str(source): "done:extracted"}, 0)
    assert Source.objects.get(pk=source).extracted_version == 1


def test_a_source_that_vanishes_meanwhile_is_skipped(
    project: Project, crawl: JobRef, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = page_store(crawl, "/a", product("A")), page_store(crawl, "/b", product("B"))
    real = worker.page_extract

    def while_it_is_removed(page: Any, *rest: Any) -> Any:
        if page.title == "A":
            in_thread(remove, crawl, [gone]).result()
        return real(page, *rest)

    monkeypatch.setattr(worker, "page_extract", while_it_is_removed)
    job = extract(project)
    assert states(job) == {str(gone): "skipped:source_gone", str(stays): "done:extracted"}
    assert set(Extraction.objects.values_list("source_id", flat=True)) == {stays}


def remove(crawl: JobRef, source_ids: list[UUID]) -> None:
    """Let the crawl hold only these, and clean it up."""
    with transaction.atomic():
        owner = SourceOwner()

        other = fetching_job(Project.objects.get(pk=crawl.project_id))
        SourceHold.objects.filter(job_id=crawl.id).exclude(source_id__in=source_ids).update(job_id=other.id)
        assert owner.remove_chunk(crawl.id, size=10)["sources"].deleted == len(source_ids)


def test_a_source_gone_before_is_skipped(project: Project, crawl: JobRef) -> None:

    gone, stays = page_store(crawl, "/a", product("A")), page_store(crawl, "/b", product("B"))
    job_id = extract_submit(project_id=project.pk)
    remove(crawl, [gone])
    job = drive(job_id)
    assert states(job) == {str(gone): "skipped:source_gone", str(stays): "done:extracted"}


def outcome_of(project: Project, source: UUID) -> tuple[JobRef, Any]:
    """Return an extraction job and the outcome of its one item, not yet settled."""

    job_id = extract_submit(project_id=project.pk, source_ids=[source], force=True)
    job_start([job_id])
    job = Job.objects.get(pk=job_id)
    ref = JobRef(job.pk, project.pk, "extract", job.payload)
    [claim] = items_claim(lanes_of(job_id)[0], 5)

    async def direct(work: Callable[..., Any], *args: Any) -> Any:
        return work(*args)

    async def work() -> Any:
        one = worker.SourceWorker(direct, [worker.SchemaOrg(), worker.Selectors()])
        one._schemas[ref.id] = schema
        one._pages.update(pages)
        return await one.work(ref, claim)

    schema, pages = worker._schema_of(ref), worker.pages_load([source])
    return ref, asyncio.run(work())


def test_a_settle_waits_for_a_crawl_that_writes_the_source(
    project: Project, crawl: JobRef, in_thread: InThread
) -> None:
    """The content hash is looked at again under the source's lock: what was read is out of date by then."""
    source = page_store(crawl, "/mug", product("Old mug"))
    ref, outcome = outcome_of(project, source)
    with transaction.atomic():
        page_store(crawl, "/mug", product("New mug"))
        side = in_thread(settle.outcomes_settle, ref.id, [outcome])
        side.wait_blocked()
    assert side.result().written == 1
    item = WorkItem.objects.get(job_id=ref.id)
    assert (item.state, item.attempts) == ("pending", 0)
    assert not Extraction.objects.exists()


def test_a_crawl_waits_for_a_settle_and_then_removes_what_it_wrote(
    project: Project, crawl: JobRef, in_thread: InThread
) -> None:
    source = page_store(crawl, "/mug", product("Old mug"))
    ref, outcome = outcome_of(project, source)
    with transaction.atomic():
        assert job_lock(ref.id)
        Extract().settle(ref, [outcome])
        side = in_thread(page_store, crawl, "/mug", product("New mug"))
        side.wait_blocked()
    side.result()
    assert not Extraction.objects.exists()
    assert Source.objects.get(pk=source).extracted_version is None


def test_two_extractions_of_one_source_at_once(project: Project, crawl: JobRef, in_thread: InThread) -> None:
    source = page_store(crawl, "/mug", product("Mug"))
    first, second = outcome_of(project, source), outcome_of(project, source)
    with transaction.atomic():
        assert job_lock(first[0].id)
        Extract().settle(first[0], [first[1]])
        side = in_thread(settle.outcomes_settle, second[0].id, [second[1]])
        side.wait_blocked()
    assert side.result().written == 1
    assert set(Extraction.objects.values_list("job_id", flat=True)) == {second[0].id}
    assert Extraction.objects.count() == 2
