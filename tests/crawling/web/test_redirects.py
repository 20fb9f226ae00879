"""Where a page sends us and what a host asks of us: redirects, robots.txt, noindex and nofollow."""

from typing import Any

import pytest

from crawling.models import Host
from crawling.work.redirect import MAX_REDIRECTS
from jobs.models import Project
from tests.helpers.crawls import crawl, html, items, result, scrape, sources
from tests.helpers.web_server import Reply, Request, redirect, serve

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_redirect_goes_back_to_the_ledger(project: Project) -> None:
    routes = {
        "/": html("Start", "/old", "/new"),
        "/old": redirect("/new#part"),
        "/new": html("New"),
    }
    with serve(routes) as server:
        job = crawl(project, server.url("/"))
        assert server.paths.count("/new") == 1
    assert items(job) == {"/": "done", "/old": "done:redirected", "/new": "done"}
    assert set(sources(project)) == {"/", "/new"}


def test_a_redirect_meets_robots_txt_again(project: Project) -> None:
    robots = Reply("User-agent: *\nDisallow: /private", content_type="text/plain")
    with serve({"/robots.txt": robots, "/": redirect("/private/x"), "/private/x": html("Secret")}) as server:
        job = crawl(project, server.url("/"))
        assert "/private/x" not in server.paths
    assert items(job) == {"/": "done:redirected", "/private/x": "skipped:robots"}


def test_a_redirect_out_of_scope_is_counted_and_not_fetched(project: Project) -> None:
    with serve({"/": html("Start", "/out"), "/there": html("There")}) as server:
        server.routes = {**server.routes, "/out": redirect(server.url("/there", host="localhost"))}
        job = crawl(project, server.url("/"))
        assert "/there" not in server.paths
    assert items(job)["/out"] == "done:redirected"
    assert result(job, "/out")["out_of_scope"] == {"other_host": 1}


def test_a_scrape_fetches_where_a_redirect_leads(project: Project) -> None:
    with serve({"/there": html("There", "/not-followed")}) as server:
        server.routes = {**server.routes, "/out": redirect(server.url("/there", host="localhost"))}
        job = scrape(project, server.url("/out"))
        assert "/not-followed" not in server.paths
    assert items(job) == {"/out": "done:redirected", "/there": "done"}
    assert set(sources(project)) == {"/there"}


def test_a_redirect_to_a_private_address_is_blocked(project: Project) -> None:
    with serve({"/out": redirect("http://10.1.2.3/secret")}) as server:
        job = scrape(project, server.url("/out"))
    assert items(job) == {"/out": "done:redirected", "/secret": "failed:blocked_address"}
    assert "CRAWL_ALLOW_NETWORKS" in result(job, "/secret")["detail"]


def test_redirects_in_a_circle(project: Project) -> None:
    with serve({"/": html("Start", "/a"), "/a": redirect("/b"), "/b": redirect("/c"), "/c": redirect("/a")}) as server:
        job = crawl(project, server.url("/"))
    assert items(job) == {
        "/": "done", "/a": "done:redirected", "/b": "done:redirected", "/c": "failed:redirect_loop",
    }  # fmt: skip


def test_redirects_that_never_end(project: Project) -> None:
    def onwards(request: Request) -> Any:
        number = int(request.path.strip("/") or 0) if request.path != "/robots.txt" else None
        return Reply(status=404) if number is None else redirect(f"/{number + 1}")

    with serve(onwards) as server:
        job = crawl(project, server.url("/"))
        assert len(server.paths) == MAX_REDIRECTS + 2  # with robots.txt and the start
    assert job.status == "completed"
    assert items(job)["/10"] == "failed:redirect_loop"
    assert job.result["counts"] == {"done": 10, "failed": 1}


# robots.txt and what pages ask for


def test_robots_txt_is_obeyed_and_asked_for_once(project: Project) -> None:
    robots = Reply("User-agent: *\nDisallow: /no", content_type="text/plain")
    routes = {"/robots.txt": robots, "/": html("Start", "/no/a", "/yes"), "/yes": html("Yes"), "/no/a": html("No")}
    with serve(routes) as server:
        job = crawl(project, server.url("/"))
        crawl(project, server.url("/"))  # it is remembered with the host
        assert server.paths.count("/robots.txt") == 1
        assert "/no/a" not in server.paths
    assert items(job) == {"/": "done", "/no/a": "skipped:robots", "/yes": "done"}


def test_nothing_is_fetched_while_robots_txt_fails(project: Project) -> None:
    with serve({"/robots.txt": Reply(status=500), "/": html("Start")}) as server:
        job = crawl(project, server.url("/"), use_sitemaps=True)
        assert set(server.paths) == {"/robots.txt"}
        assert len(server.paths) == 6  # two items, three tries each
    assert (job.status, job.error) == ("failed", "Nothing succeeded: 2 http_5xx.")
    assert Host.objects.get().robots_fetched_at is None


def test_robots_txt_that_moved(project: Project) -> None:
    robots = Reply("User-agent: *\nDisallow: /no", content_type="text/plain")
    routes = {"/robots.txt": redirect("/really robots.txt"), "/really%20robots.txt": robots}
    with serve({**routes, "/": html("Start", "/no/a")}) as server:
        job = crawl(project, server.url("/"))
    assert items(job) == {"/": "done", "/no/a": "skipped:robots"}


def test_links_of_a_noindex_page_are_followed(project: Project) -> None:
    head = '<meta name="robots" content="noindex">'
    with serve({"/": html("Start", "/a", head=head), "/a": html("A")}) as server:
        job = crawl(project, server.url("/"))
    assert items(job) == {"/": "skipped:noindex", "/a": "done"}
    assert set(sources(project)) == {"/a"}


def test_links_of_a_nofollow_page_are_not(project: Project) -> None:
    head = '<meta name="robots" content="nofollow">'
    with serve({"/": html("Start", "/a", head=head), "/a": html("A")}) as server:
        job = crawl(project, server.url("/"))
    assert items(job) == {"/": "done"}


def test_only_the_wanted_languages_are_stored(project: Project) -> None:
    routes = {"/": html("Start", "/de", "/gb"), "/de": html("Los", "/gb", lang="de"), "/gb": html("Go", lang="en-GB")}
    with serve(routes) as server:
        job = crawl(project, server.url("/"), allowed_languages=("en-US",))
    assert items(job) == {"/": "done", "/de": "skipped:language", "/gb": "done"}
    assert result(job, "/de")["language"] == "de"


def test_byte_identical_pages_are_counted_and_the_first_stays(project: Project) -> None:
    same = html("Same")
    routes = {"/": html("Start", "/a", "/b", "/c"), "/a": same, "/b": same, "/c": html("Other", "/d"), "/d": same}
    with serve(routes) as server:
        job = crawl(project, server.url("/"))
        assert job.result["reasons"] == {"duplicate": 2}
        first = next(path for path in ("/a", "/b", "/d") if items(job)[path] == "done")
        assert set(sources(project)) == {"/", "/c", first}
        twin = next(path for path, state in items(job).items() if state == "skipped:duplicate")
        assert result(job, twin)["duplicate_of"] == server.url(first)
