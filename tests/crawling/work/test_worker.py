"""What becomes of each URL: over real HTTP, through real slices."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from crawling.models import SourceContent
from crawling.sources.hosts import HostMemory
from crawling.work import worker
from crawling.work.items import page_item
from jobs.models import Lane, Project, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim
from jobs.worker import runner, slice
from tests.helpers.crawls import crawl, crawl_start, drive, html, items, lanes_of, result, sources
from tests.helpers.web_server import Reply, Request, bomb, redirect, serve

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_crawl_follows_links_within_its_host(project: Project) -> None:
    routes = {
        "/": html("Start", "/a", "/b", "http://other.example/", "mailto:x@example.org"),
        "/a": html("Probe", "/b", "/a/deep", "/"),
        "/b": html("Gauge"),
        "/a/deep": html("Sonde"),
    }
    with serve(routes) as server:
        job = crawl(project, server.url("/"))
        assert sorted(server.paths) == ["/", "/a", "/a/deep", "/b", "/robots.txt"]
    assert job.status == "completed"
    assert items(job) == {"/": "done", "/a": "done", "/b": "done", "/a/deep": "done"}
    assert result(job, "/")["out_of_scope"] == {"other_host": 1}
    assert job.result["sources"] == 4
    stored = sources(project)["/a"]
    assert (stored.title, stored.language, stored.source_group) == ("Probe", "en", "127.0.0.1")
    assert "how much water a river carries" in SourceContent.objects.get(source=stored).text
    assert stored.passages.get().text.count("river") == 1


def test_depth_is_exact(project: Project) -> None:
    routes = {"/": html("0", "/1"), "/1": html("1", "/2"), "/2": html("2", "/3"), "/3": html("3")}
    with serve(routes) as server:
        job = crawl(project, server.url("/"), max_depth=2)
        assert "/3" not in server.paths
    assert set(items(job)) == {"/", "/1", "/2"}
    assert result(job, "/2")["out_of_scope"] == {"too_deep": 1}


def test_a_page_found_again_on_a_shorter_way_is_followed_from_there(project: Project, settings: Any) -> None:
    """`/x` waits as found at depth 2 when a redirect at depth 1 leads there as well."""
    settings.QUARRY = replace(settings.QUARRY, crawl_concurrency=1)  # so that the order is certain
    routes = {
        "/": html("0", "/1", "/late"),
        "/1": html("1", "/x"),
        "/late": redirect("/x"),
        "/x": html("x", "/y"),
        "/y": html("y"),
    }
    with serve(routes) as server:
        job = crawl(project, server.url("/"), max_depth=2)
    assert items(job)["/y"] == "done"


@pytest.mark.parametrize(
    ("reply", "ended"),
    [
        (Reply(status=404), "failed:gone"),
        (Reply(status=410), "failed:gone"),
        (Reply(status=403), "failed:http_4xx"),
        (Reply(status=500), "failed:http_5xx"),
        (Reply(b"%PDF-1.7", content_type="application/pdf"), "skipped:content_type"),
        (Reply("<html><body></body></html>"), "skipped:empty"),
        (Reply(hang_up=True), "failed:connection"),
        (Reply(raw=b"nonsense\r\n\r\n"), "failed:connection"),
        (redirect("http://10.1.2.3/"), "done:redirected"),
        (redirect("/page"), "failed:redirect_loop"),
        (redirect("mailto:x@example.org"), "failed:redirect_loop"),
        (html("Hidden", head='<meta name="robots" content="noindex">'), "skipped:noindex"),
        (Reply(html("Hidden"), headers={"X-Robots-Tag": "noindex"}), "skipped:noindex"),
    ],
)
def test_every_reply_ends_in_one_counted_state(project: Project, reply: Any, ended: str) -> None:
    with serve({"/": html("Start", "/page"), "/page": reply}) as server:
        job = crawl(project, server.url("/"))
    assert job.status == "completed"
    assert items(job) == {"/": "done", "/page": ended}
    assert sum(job.result["counts"].values()) == 2
    assert set(sources(project)) == {"/"}


def test_a_body_beyond_the_limit_is_too_large(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LIMITS", replace(worker.LIMITS, max_bytes=100_000))
    with serve({"/": html("Start", "/bomb"), "/bomb": bomb(200_000)}) as server:
        job = crawl(project, server.url("/"))
    assert items(job)["/bomb"] == "failed:too_large"


def test_what_failed_for_a_moment_is_tried_again(project: Project) -> None:
    tries: list[str] = []

    def shaky(request: Request) -> Any:
        tries.append(request.path)
        return Reply(status=502) if len(tries) < 3 else html("Recovered")

    with serve({"/": html("Start", "/shaky"), "/shaky": shaky}) as server:
        job = crawl(project, server.url("/"))
    assert items(job)["/shaky"] == "done"
    assert WorkItem.objects.get(job=job, key__endswith="/shaky").attempts == 2


# Sitemaps


def test_sitemaps_name_further_pages(project: Project) -> None:
    index = "<sitemapindex><sitemap><loc>/inner.xml</loc></sitemap><sitemap><loc>http://u:p@x/</loc></sitemap></sitemapindex>"
    inner = "<urlset><url><loc>/only-here</loc></url><url><loc>http://other.example/</loc></url></urlset>"
    xml = {"content_type": "application/xml"}
    with serve({"/": html("Start"), "/only-here": html("Island"), "/inner.xml": Reply(inner, **xml)}) as server:
        robots = Reply(f"Sitemap: {server.url('/index.xml')}", content_type="text/plain")
        server.routes = {**server.routes, "/robots.txt": robots, "/index.xml": Reply(index, **xml)}
        job = crawl(project, server.url("/"), use_sitemaps=True, limit=2)
        assert server.paths.count("/robots.txt") == 1
    assert items(job) == {
        "sitemap:/robots.txt": "done:sitemap", "sitemap:/sitemap.xml": "done:sitemap",
        "sitemap:/index.xml": "done:sitemap", "sitemap:/inner.xml": "done:sitemap",
        "/": "done", "/only-here": "done",
    }  # fmt: skip
    assert result(job, "sitemap:/inner.xml")["out_of_scope"] == {"other_host": 1}


def test_a_promised_sitemap_that_is_missing_fails_and_a_guessed_one_does_not(project: Project) -> None:
    with serve({"/": html("Start")}) as server:
        robots = Reply(f"Sitemap: {server.url('/promised.xml')}", content_type="text/plain")
        server.routes = {**server.routes, "/robots.txt": robots, "/sitemap.xml": redirect("/moved.xml")}
        job = crawl(project, server.url("/"), use_sitemaps=True)
    assert items(job) == {
        "/": "done", "sitemap:/robots.txt": "done:sitemap", "sitemap:/promised.xml": "failed:gone",
        "sitemap:/sitemap.xml": "done:redirected", "sitemap:/moved.xml": "done:sitemap",
    }  # fmt: skip


def test_a_maze_of_sitemaps_has_an_end(project: Project) -> None:
    def maze(request: Request) -> Any:
        if request.path in ("/", "/robots.txt"):
            return html("Start") if request.path == "/" else Reply(status=404)
        body = f"<sitemapindex><sitemap><loc>{request.path}x</loc></sitemap></sitemapindex>"
        return Reply(body, content_type="application/xml")

    with serve(maze) as server:
        crawl(project, server.url("/"), use_sitemaps=True)
        assert [path for path in server.paths if "xml" in path] == ["/sitemap.xml", "/sitemap.xmlx", "/sitemap.xmlxx"]


# Limits and lanes


def test_the_limit_is_exact(project: Project) -> None:
    routes = {"/": html("Start", *(f"/{n}" for n in range(20)))} | {f"/{n}": html(f"Page {n}") for n in range(20)}
    with serve(routes) as server:
        job = crawl(project, server.url("/"), limit=7)
        assert len(server.paths) == 8  # with robots.txt
    assert job.result["counts"] == {"done": 7, "skipped": 14}
    assert job.result["reasons"] == {"limit": 14}


def test_the_limit_is_exact_over_several_lanes(project: Project, in_thread: Any) -> None:
    paths = [f"/{n}" for n in range(12)]
    with serve({path: html(f"Page {path}") for path in paths}) as server:
        far = [server.url(path, host="b.localhost") for path in paths] + paths
        server.routes = {**server.routes, "/": html("Start", *far), "/robots.txt": Reply(status=404)}
        job_id = crawl_start(project, server.url("/", host="localhost"), allow_subdomains=True, limit=9)
        runner.slice_run(lane_id=lanes_of(job_id)[0])
        sides = [in_thread(runner.slice_run, lane_id=lane.pk) for lane in Lane.objects.all()]
        assert [side.result() for side in sides]
        job = drive(job_id)
        assert server.paths.count("/robots.txt") <= 2
        pages = [path for path in server.paths if path != "/robots.txt"]
    assert (len(pages), job.result["counts"]["done"]) == (9, 9)
    assert job.result["counts"] == {"done": 9, "skipped": 16}


# The memory of a worker


def test_a_worker_remembers_only_so_many_urls(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond them the ledger's index alone finds duplicates; those it knows it goes on to correct."""
    monkeypatch.setattr(worker, "MAX_SEEN_URLS", 3)
    host_worker = worker.HostWorker("h.test", None, None, HostMemory(None, 0.0, None))
    claim = Claim(1, uuid4(), "http://h.test/", uuid4(), 0, 0, 0, {})
    for depth, paths in ((2, "ab"), (3, "abcdef"), (1, "ag")):
        items_found = [page_item(f"http://h.test/{path}", depth=depth) for path in paths]
        host_worker.on_settled([kinds.done(claim, new_items=items_found)])
    seen = host_worker._seen[claim.job_id]
    assert seen == {"http://h.test/a": 1, "http://h.test/b": 2, "http://h.test/c": 3}


def test_a_crawl_larger_than_the_memory_fetches_each_page_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "MAX_SEEN_URLS", 2)
    paths = [f"/{number}" for number in range(6)]
    with serve({"/": html("Start", *paths)} | {path: html(f"Page {path}", "/", *paths) for path in paths}) as server:
        job = crawl(project, server.url("/"))
        assert sorted(server.paths) == sorted(["/", "/robots.txt", *paths])
    assert job.result["counts"] == {"done": 7}


# Hostile pages


def test_hostile_text_is_stored(project: Project) -> None:
    poison = html("T\x00itle" * 400, text="a\x00b &#xD800; \ud83d".encode("utf-8", "surrogatepass").decode("latin-1"))
    headers = {"ETag": "x" * 5000, "Last-Modified": "\x01", "Server": b"\xff\xfe", "Content-Language": "xx" * 500}
    routes = {"/": html("Start", "/poison"), "/poison": Reply(poison, headers=headers)}
    with serve(routes) as server:
        job = crawl(project, server.url("/"))
    assert items(job) == {"/": "done", "/poison": "done"}
    stored = sources(project)["/poison"]
    assert len(stored.title) == 500
    assert stored.etag == ""
    assert "\x00" not in stored.title + SourceContent.objects.get(source=stored).text


def test_a_page_that_cannot_be_stored_fails_alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL refuses a status beyond its smallint: the page fails, its neighbours in the batch do not."""
    real = worker.fetch

    async def lying(session: Any, url: str, **options: Any) -> Any:
        fetched = await real(session, url, **options)
        return replace(fetched, status=2_000_000) if url.endswith("/poison") else fetched

    monkeypatch.setattr(worker, "fetch", lying)
    monkeypatch.setattr(slice, "SETTLE_AFTER_SECONDS", 3600.0)  # however slow, it has neighbours in its batch
    paths = ["/a", "/b", "/poison", "/c"]
    with serve({"/": html("Start", *paths)} | {path: html(f"Page {path}") for path in paths}) as server:
        job = crawl(project, server.url("/"))
    assert items(job) == {"/": "done", "/a": "done", "/b": "done", "/c": "done", "/poison": "failed:internal"}
    assert set(sources(project)) == {"/", "/a", "/b", "/c"}


def test_a_page_nested_beyond_reason_fails_alone(project: Project) -> None:
    with serve({"/": html("Start", "/deep", "/a"), "/deep": "<div>" * 60_000, "/a": html("A")}) as server:
        job = crawl(project, server.url("/"))
    assert items(job) == {"/": "done", "/deep": "failed:parse", "/a": "done"}
