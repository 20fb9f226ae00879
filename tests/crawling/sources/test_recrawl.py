"""Crawling again: what is unchanged, what changed, what is gone, what moved to another job's hands."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import timezone

from crawling.models import Source, SourceContent, SourceHold
from crawling.sources import known
from crawling.sources.owner import SourceOwner, sources_delete
from crawling.work import worker as crawl_worker
from extraction.models import Extraction, Passage, SchemaVersion
from jobs.models import Job, Project
from tests.helpers.crawls import crawl, html, items, result, sources
from tests.helpers.web_server import Reply, conditional, serve

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def extracted(project: Project) -> Callable[[Source], UUID]:
    """Return a function that gives a source an extraction of version 1."""
    schema = SchemaVersion.objects.create(project=project, number=1, schema={})

    def extract(source: Source) -> UUID:
        Source.objects.filter(pk=source.pk).update(status="extracted", extracted_version=1)
        owner = {"project": project, "source": source, "schema_version": schema, "extracted_at": timezone.now()}
        return Extraction.objects.create(**owner, field_group="g", data={"a": 1}, evidence={}, confidence=0.9).pk

    return extract


def passages(source: Source) -> set[UUID]:
    return set(Passage.objects.filter(source=source).values_list("pk", flat=True))


@pytest.mark.parametrize("validator", [{"etag": '"1"'}, {"last_modified": "Mon, 01 Jan 2024 10:00:00 GMT"}])
def test_not_modified_is_unchanged_and_its_links_are_followed(
    project: Project, extracted: Any, validator: dict[str, str]
) -> None:
    routes = {"/": conditional(html("Start", "/a"), **validator), "/a": html("A")}
    with serve(routes) as server:
        crawl(project, server.url("/"), source_group="first")
        start = sources(project)["/"]
        kept, before = extracted(start), passages(start)
        again = crawl(project, server.url("/"), source_group="second")
        assert server.paths.count("/a") == 2
    assert items(again) == {"/": "done:unchanged", "/a": "done:unchanged"}
    assert result(again, "/")["http_status"] == 304
    now = sources(project)["/"]
    assert (now.extracted_version, now.job_id, now.source_group) == (1, start.job_id, "second")
    assert now.fetched_at > start.fetched_at
    assert passages(now) == before
    assert Extraction.objects.filter(pk=kept).exists()
    assert SourceHold.objects.filter(source=now).count() == 2


def test_an_unconditional_reply_with_the_same_content_is_unchanged(project: Project, extracted: Any) -> None:
    page = html("Start")
    with serve({"/": page}) as server:
        crawl(project, server.url("/"))
        start = sources(project)["/"]
        kept, before = extracted(start), passages(start)
        server.routes = {"/": page.replace("<p>", "<!-- nonce 42 -->\n<p>")}
        again = crawl(project, server.url("/"))
    assert items(again) == {"/": "done:unchanged"}
    now = sources(project)["/"]
    assert (now.extracted_version, now.changed_at, passages(now)) == (1, start.changed_at, before)
    assert Extraction.objects.filter(pk=kept).exists()
    assert SourceContent.objects.get(source=now).text == SourceContent.objects.get(source=start).text


@pytest.mark.parametrize(
    "changed",
    [
        html("Start", text="Another sentence."),
        html("Another title", text="The Start measures how much water a river carries."),
        html("Start", head='<script type="application/ld+json">{"@type": "Product", "sku": "2"}</script>'),
        html("Start", head='<meta property="og:title" content="Other">'),
        html("Start").replace("<p>", '<link itemprop="availability" href="https://schema.org/SoldOut"><p>'),
    ],
)
def test_changed_content_replaces_passages_and_removes_extractions(
    project: Project, extracted: Any, changed: str
) -> None:
    with serve({"/": html("Start")}) as server:
        crawl(project, server.url("/"))
        start = sources(project)["/"]
        removed, before = extracted(start), passages(start)
        server.routes = {"/": changed}
        again = crawl(project, server.url("/"))
    assert items(again) == {"/": "done"}
    now = sources(project)["/"]
    assert now.pk == start.pk
    assert (now.status, now.extracted_version, now.job_id) == ("ready", None, again.pk)
    assert now.content_hash != start.content_hash
    assert passages(now) and not passages(now) & before
    assert set(Passage.objects.values_list("job_id", flat=True)) == {again.pk}
    assert not Extraction.objects.filter(pk=removed).exists()


def test_a_page_that_is_gone_and_comes_back(project: Project) -> None:
    page = conditional(html("A"), etag='"a"')
    with serve({"/": html("Start", "/a"), "/a": page}) as server:
        first = crawl(project, server.url("/"))
        server.routes = {"/": html("Start", "/a")}
        second = crawl(project, server.url("/"))
        assert items(second)["/a"] == "failed:gone"
        assert sources(project)["/a"].gone_at is not None
        assert not SourceHold.objects.filter(source=sources(project)["/a"], job=second).exists()
        server.routes = {"/": html("Start", "/a"), "/a": page}
        third = crawl(project, server.url("/"))
        assert server.requests[-1].headers.get("if-none-match") is None  # what is gone is asked for in full
    assert items(third)["/a"] == "done:unchanged"
    back = sources(project)["/a"]
    assert (back.gone_at, back.job_id) == (None, first.pk)


def test_a_page_stays_gone_since_it_was_first_found_gone(project: Project) -> None:
    page = html("A")
    with serve({"/": html("Start", "/a"), "/a": page}) as server:
        crawl(project, server.url("/"))
        server.routes = {"/": html("Start", "/a")}
        crawl(project, server.url("/"))
        first = sources(project)["/a"].gone_at
        assert first is not None
        crawl(project, server.url("/"))
        assert sources(project)["/a"].gone_at == first
        server.routes = {"/": html("Start", "/a"), "/a": page}
        crawl(project, server.url("/"))
        server.routes = {"/": html("Start", "/a")}
        crawl(project, server.url("/"))
    since = sources(project)["/a"].gone_at
    assert since is not None and since > first


def test_a_known_page_in_an_unwanted_language_is_skipped_when_not_modified(project: Project) -> None:
    routes = {"/": html("Start", "/de"), "/de": conditional(html("Los", lang="de"), etag='"d"')}
    with serve(routes) as server:
        crawl(project, server.url("/"))
        again = crawl(project, server.url("/"), allowed_languages=("en",))
    assert items(again) == {"/": "done:unchanged", "/de": "skipped:language"}
    assert not SourceHold.objects.filter(job=again, source=sources(project)["/de"]).exists()


def test_nofollow_by_header_holds_for_a_page_not_modified_too(project: Project) -> None:
    def start(request: Any) -> Reply:
        reply = conditional(html("Start", "/a"), etag='"s"')(request)
        return replace(reply, headers={**reply.headers, "X-Robots-Tag": "nofollow"})

    with serve({"/": start, "/a": html("A")}) as server:
        crawl(project, server.url("/"))
        again = crawl(project, server.url("/"))
        assert "/a" not in server.paths
    assert items(again) == {"/": "done:unchanged"}


def test_a_twin_of_a_page_not_modified_is_a_duplicate_still(project: Project) -> None:
    same = html("Same")
    with serve({"/": html("Start", "/a", "/b"), "/a": conditional(same, etag='"a"'), "/b": same}) as server:
        crawl(project, server.url("/"))
        again = crawl(project, server.url("/"))
    states = items(again)
    assert sorted([states["/a"], states["/b"]]) == ["done:unchanged", "skipped:duplicate"]


def test_a_source_deleted_while_its_page_is_asked_for_is_fetched_anew(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host says "not modified" of a page that by then is stored no more."""
    with serve({"/": conditional(html("Start", "/a"), etag='"1"'), "/a": html("A")}) as server:
        first = crawl(project, server.url("/"))
        real = known.page_stored

        def deleted_then_asked(source_id: UUID) -> Any:
            stored = real(source_id)
            SourceHold.objects.filter(source_id=source_id).delete()
            sources_delete([source_id])
            return stored

        monkeypatch.setattr(crawl_worker, "page_stored", deleted_then_asked)
        again = crawl(project, server.url("/"))
    assert items(again) == {"/": "done", "/a": "done:unchanged"}
    assert sources(project)["/"].job_id == again.pk != first.pk


def test_a_source_adopted_by_the_project_stays_adopted(project: Project) -> None:
    """Its second job lets go of it, and it stays: the first was deleted on the promise that it would."""
    with serve({"/": html("Start")}) as server:
        first = crawl(project, server.url("/"))
        with transaction.atomic():
            assert SourceOwner().adopt_chunk(first.pk, size=10) == 1
        second = crawl(project, server.url("/"))
    with transaction.atomic():
        removed = SourceOwner().remove_chunk(second.pk, size=10)
    assert (removed["sources"].deleted, removed["sources"].kept_shared) == (0, 1)
    assert set(sources(project)) == {"/"}


def test_two_projects_know_nothing_of_each_other(project: Project) -> None:
    other = Project.objects.create(name="Other")
    with serve({"/": conditional(html("Start"), etag='"1"')}) as server:
        crawl(project, server.url("/"))
        again = crawl(other, server.url("/"))
    assert items(again) == {"/": "done"}
    assert Job.objects.get(pk=again.pk).result["sources"] == 1
