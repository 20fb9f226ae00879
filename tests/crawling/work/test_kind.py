"""The kinds crawl and scrape as the ledger sees them: first items, the end, the extraction that follows."""

import json
from typing import Any

import pytest
from django.db import connection, transaction

from crawling.models import Source
from jobs.control.cancel import job_cancel
from jobs.control.end import job_end_if_done
from jobs.control.retry import job_retry
from jobs.ledger.claims import items_claim
from jobs.ledger.items import items_add
from jobs.models import Job, Project, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import NewItem
from jobs.states import JobStatus
from jobs.worker import runner
from tests.helpers.crawls import crawl, crawl_start, drive, html, items, lanes_of, scrape
from tests.helpers.factories import status_fields
from tests.helpers.web_server import Reply, serve

pytestmark = pytest.mark.django_db(transaction=True)
PRODUCT = json.dumps({"@type": "Product", "name": "Probe", "sku": "P-1"})
SHOP = {"/": html("Probe", head=f'<script type="application/ld+json">{PRODUCT}</script>')}


def test_the_first_items_come_with_the_job_and_sitemaps_are_items(project: Project) -> None:
    """A job being planned never looks finished: whoever sees the job sees its items."""
    job_id = crawl_start(project, "http://h.test/docs/", use_sitemaps=True)
    job = Job.objects.get(pk=job_id)
    assert items(job) == {"sitemap:/robots.txt": "pending", "/docs/": "pending"}
    assert job_end_if_done(job_id) is None
    rows = WorkItem.objects.filter(job_id=job_id).order_by("rank").values_list("key", "lane__key", "rank")
    robots, seed = rows
    assert robots == ("sitemap:http://h.test/robots.txt", "host:h.test", -2)
    assert seed == ("http://h.test/docs/", "host:h.test", 0)


def test_nobody_sees_a_job_before_its_items(project: Project, in_thread: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = kinds.get("crawl").populate

    def watched(job: Any) -> None:
        seen.append(in_thread(Job.objects.count).result())
        real(job)

    monkeypatch.setattr(kinds.get("crawl"), "populate", watched)
    crawl_start(project, "http://h.test/")
    assert seen == [0]
    assert Job.objects.count() == 1


def test_scrape_has_an_item_per_url(project: Project) -> None:
    with serve({"/a": html("A"), "/b": html("B")}) as server:
        job = scrape(project, server.url("/a"), server.url("/b"), server.url("/a#again"))
        assert server.paths == ["/robots.txt", "/a", "/b"]
    assert (items(job), job.result["sources"]) == ({"/a": "done", "/b": "done"}, 2)


# What follows a crawl


def test_a_completed_crawl_has_exactly_one_child(project: Project) -> None:
    with serve(SHOP) as server:
        job = crawl(project, server.url("/"), auto_extract=True)
    child = Job.objects.get(parent=job)
    assert (child.kind, child.status, child.label) == ("extract", "queued", job.label)
    assert job.result["extraction_job_id"] == str(child.pk)
    assert WorkItem.objects.filter(job=child).count() == 1
    assert job_end_if_done(job.pk) is None
    assert Job.objects.count() == 2


def test_a_cancelled_crawl_has_no_child(project: Project, in_thread: Any) -> None:
    with serve({"/": html("Start", "/slow"), "/slow": Reply(html("Slow"), delay_seconds=30)}) as server:
        job_id = crawl_start(project, server.url("/"), auto_extract=True)
        side = in_thread(runner.slice_run, lane_id=lanes_of(job_id)[0])
        server.wait_until(lambda: "/slow" in server.paths)
        assert Job.objects.count() == 1  # nothing follows before the end, and then neither
        job_cancel(job_id=job_id)
        side.result()
    assert Job.objects.get().status == "cancelled"
    assert Source.objects.count() == 1  # what was fetched is kept, and still nothing follows


@pytest.mark.parametrize("routes", [{}, {"/": Reply("<html></html>")}])
def test_nothing_stored_has_no_child(project: Project, routes: dict[str, Any]) -> None:
    with serve(routes) as server:
        job = crawl(project, server.url("/"), auto_extract=True)
    assert job.status == "failed"
    assert Job.objects.count() == 1


def test_unwanted_has_no_child(project: Project) -> None:
    with serve(SHOP) as server:
        crawl(project, server.url("/"), auto_extract=False)
    assert Job.objects.count() == 1


def test_nothing_new_to_extract_has_no_child(project: Project) -> None:
    with serve(SHOP) as server:
        first = crawl(project, server.url("/"), auto_extract=True)
        drive(Job.objects.get(parent=first).pk)
        again = crawl(project, server.url("/"), auto_extract=True)
    assert items(again) == {"/": "done:unchanged"}
    assert not Job.objects.filter(parent=again).exists()
    assert "extraction_job_id" not in again.result


def test_an_inactive_project_has_no_child(project: Project) -> None:
    with serve(SHOP) as server:
        job_id = crawl_start(project, server.url("/"), auto_extract=True)
        Project.objects.update(is_active=False)
        job = drive(job_id)
    assert (job.status, job.result["sources"]) == ("completed", 1)
    assert Job.objects.count() == 1


def test_a_retried_crawl_ends_again_and_what_is_new_is_extracted_too(project: Project) -> None:
    with serve({"/": html("Start", "/late"), "/late": Reply(status=403)}) as server:
        job = crawl(project, server.url("/"), auto_extract=True)
        drive(Job.objects.get(parent=job).pk)
        server.routes = {**server.routes, "/late": html("Late")}
        assert job_retry(job_id=job.pk).requeued == 1
        job = drive(job.pk)
    assert (job.status, job.result["counts"]) == ("completed", {"done": 2})
    second = Job.objects.get(pk=job.result["extraction_job_id"])
    assert second.parent_id is None
    late = Source.objects.get(url__endswith="/late")
    assert list(WorkItem.objects.filter(job=second).values_list("key", flat=True)) == [str(late.pk)]


# Found again on a shorter way


@pytest.fixture
def running(project: Project) -> Job:
    """A running crawl without items."""
    job = Job.objects.create(project=project, kind="crawl")
    Job.objects.filter(pk=job.pk).update(**status_fields(JobStatus.RUNNING))
    return job


def add(job: Job, *new: NewItem) -> int:
    with transaction.atomic():
        return items_add(job.pk, new)


def test_a_pending_item_found_nearer_moves_up(running: Job) -> None:
    assert add(running, NewItem("a", "host:h", 3, {"depth": 3}), NewItem("b", "host:h", 1, {"depth": 1})) == 2
    assert add(running, NewItem("a", "host:h", 2, {"depth": 2}), NewItem("b", "host:h", 4, {"depth": 4})) == 0
    rows = WorkItem.objects.filter(job=running).order_by("key").values_list("key", "rank", "data")
    assert list(rows) == [("a", 2, {"depth": 2}), ("b", 1, {"depth": 1})]
    assert [claim.key for claim in items_claim(WorkItem.objects.first().lane_id, 1)] == ["b"]


def test_an_item_under_way_or_done_stays_as_it_is(running: Job) -> None:
    add(running, NewItem("a", "host:h", 3, {"depth": 3}))
    items_claim(WorkItem.objects.get().lane_id, 1)
    assert add(running, NewItem("a", "host:h", 1, {"depth": 1})) == 0
    assert WorkItem.objects.values_list("state", "rank", "data").get() == ("claimed", 3, {"depth": 3})


def test_another_jobs_item_stays_as_it_is(running: Job) -> None:
    other = Job.objects.create(project=running.project, kind="crawl")
    add(other, NewItem("a", "host:h", 3, {"depth": 3}))
    assert add(running, NewItem("a", "host:h", 1, {"depth": 1})) == 1
    assert sorted(WorkItem.objects.values_list("rank", flat=True)) == [1, 3]


def test_moving_up_waits_for_nobody(running: Job, in_thread: Any) -> None:
    """A claimer may hold the row: then the item is about to be worked on as it was found first."""
    add(running, NewItem("a", "host:h", 3, {"depth": 3}))
    with transaction.atomic():
        WorkItem.objects.select_for_update().get()
        assert in_thread(add, running, NewItem("a", "host:h", 1, {"depth": 1})).result() == 0
    assert WorkItem.objects.get().rank == 3


def test_known_items_are_not_locked(running: Job, in_thread: Any) -> None:
    """Every page links to most others: nobody waits because of links found once more."""
    add(running, *(NewItem(key, "host:h", 1) for key in "ab"))
    with transaction.atomic():
        items_add(running.pk, [NewItem(key, "host:h", 1) for key in "ba"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM jobs_workitem WHERE xmax <> 0")
            assert cursor.fetchone()[0] == 0
