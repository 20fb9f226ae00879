"""Passages of stored pages: exact places, replaced with the content, handed over and removed with the source."""

from uuid import UUID

import pytest
from django.db import transaction

from crawling.models import SourceContent
from crawling.sources.dependants import PageText
from crawling.sources.owner import SourceOwner
from extraction.models import Extraction, Passage, VectorChange
from extraction.owners.source_dependant import SourceDependant
from jobs.models import Project
from jobs.registry.kinds import JobRef
from tests.helpers.crawls import html
from tests.helpers.extractions import extract, fetching_job, page_store, product

pytestmark = pytest.mark.django_db(transaction=True)
LONG = "".join(f"<h2>Part {n}</h2><p>{f'The gauge number {n} stands at the river. ' * 40}</p>" for n in range(6))


@pytest.fixture
def project(db: None) -> Project:
    """A project."""
    return Project.objects.create(name="Rivers")


@pytest.fixture
def crawl(project: Project) -> JobRef:
    """The crawl that stores the pages."""
    return fetching_job(project)


def rows(source: UUID) -> list[Passage]:
    return list(Passage.objects.filter(source=source).order_by("ordinal"))


def test_each_passage_is_the_text_at_its_offsets(crawl: JobRef) -> None:
    source = page_store(crawl, "/long", html("Gauges\x00 \U0001f30a", text=LONG))
    text = SourceContent.objects.get(source=source).text
    passages = rows(source)
    assert len(passages) > 3
    assert [passage.text for passage in passages] == [text[passage.start : passage.end] for passage in passages]
    assert {passage.job_id for passage in passages} == {crawl.id}
    assert passages[-1].heading_path[-1] == "Part 5"
    assert passages[-1].context.startswith("Gauges \U0001f30a")
    assert "Part 5" in passages[-1].context


def test_a_table_s_header_row_is_context(crawl: JobRef) -> None:
    lines = "".join(f"<tr><td>gauge {n}</td><td>{n} m</td></tr>" for n in range(400))
    source = page_store(crawl, "/table", html("T", text=f"<table><tr><th>Name</th><th>Level</th></tr>{lines}</table>"))
    last = rows(source)[-1]
    assert "| Name | Level |" in last.context
    assert "Name" not in last.text


def test_changed_content_queues_old_points_for_deletion_and_new_ones_for_writing(crawl: JobRef) -> None:
    source = page_store(crawl, "/a", html("A", text="old words"))
    [old] = rows(source)
    VectorChange.objects.all().delete()
    page_store(crawl, "/a", html("A", text="new words"))
    [new] = rows(source)
    assert new.pk != old.pk
    changes = dict(VectorChange.objects.values_list("point_id", "operation"))
    assert changes == {old.pk: "delete", new.pk: "upsert"}


def test_nothing_unstorable_reaches_a_passage() -> None:
    page = PageText(url="http://h.test/", title="T\x00\ud800", text="# A\x00\n\nwords \ud800 here", language="en")
    [chunk] = SourceDependant().prepare(page)
    for text in (chunk.text, chunk.title, *chunk.heading_path):
        assert "\x00" not in text
        assert text.encode()


def test_a_cleanup_removes_passages_and_extractions(project: Project, crawl: JobRef) -> None:
    page_store(crawl, "/mug", product("Mug"))
    extract(project)
    assert Extraction.objects.count() == 2  # of the preset's groups page and product
    with transaction.atomic():
        removed = SourceOwner().remove_chunk(crawl.id, size=10)
    assert {kind: numbers.deleted for kind, numbers in removed.items()} == {
        "sources": 1, "extractions": 2, "passages": 1,
    }  # fmt: skip
    assert not Extraction.objects.exists()
    assert not Passage.objects.exists()


def test_passages_of_a_shared_source_go_to_who_still_holds_it(project: Project, crawl: JobRef) -> None:
    source = page_store(crawl, "/mug", product("Mug"))
    other = fetching_job(project)
    page_store(other, "/mug", product("Mug"))
    assert {passage.job_id for passage in rows(source)} == {crawl.id}
    with transaction.atomic():
        removed = SourceOwner().remove_chunk(crawl.id, size=10)
    assert removed["sources"].kept_shared == 1
    assert {passage.job_id for passage in rows(source)} == {other.id}


def test_an_adopted_source_s_passages_belong_to_the_project(crawl: JobRef) -> None:
    source = page_store(crawl, "/mug", product("Mug"))
    with transaction.atomic():
        SourceOwner().adopt_chunk(crawl.id, size=10)
    assert {passage.job_id for passage in rows(source)} == {None}
