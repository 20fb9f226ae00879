"""The kind extract: real slices over stored pages."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from crawling.models import Source
from extraction.models import Extraction, SchemaVersion
from extraction.schema.versions import schema_save
from extraction.work import kind, worker
from extraction.work.kind import source_item, sources_selected
from extraction.work.submission import extract_submit
from jobs.models import Project
from jobs.registry.kinds import JobRef
from jobs.worker import slice
from tests.helpers.crawls import drive, html
from tests.helpers.extractions import SCHEMA, extract, found, page_store, product, states
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db(transaction=True)
InThread = Callable[..., Side]
METHODS = {"name": "schema_org", "colour": "selectors"}


def test_a_whole_extraction(project: Project, crawl: JobRef) -> None:
    source = page_store(crawl, "/mug", product("Blue mug", colour="sky blue"))
    bare = page_store(crawl, "/bare", "<p>Nothing but words.</p>")
    job = extract(project)
    assert states(job) == {str(source): "done:extracted", str(bare): "done:empty"}
    assert found(source) == {"product": {"name": "Blue mug", "colour": "sky blue"}, "page": {"heading": "Blue mug"}}
    row = Extraction.objects.get(source=source, field_group="product")
    assert {name: proof["method"] for name, proof in row.evidence.items()} == METHODS
    assert (row.job_id, row.schema_version.number, row.ungrounded) == (job.pk, 1, [])
    assert row.confidence == min(proof["confidence"] for proof in row.evidence.values())
    rows = Source.objects.order_by("url").values_list("status", "extracted_version")
    assert list(rows) == [("completed", 1), ("extracted", 1)]
    assert job.result["extractions"] == 2
    assert job.result["note"] == "no LLM configured; nothing was extracted from 1 page; the text is searchable"


def test_ordinary_markup_of_a_product_page_is_read_last(project: Project, crawl: JobRef) -> None:
    """Where structured data states nothing, the markup that shops share does, and is verified like the rest."""
    schema_save(project.pk, {**SCHEMA, "field_groups": [
        {"name": "product", "description": "p", "fields": [
            {"name": "price", "field_type": "money", "description": "p", "schema_org": ["Product.offers.price"]},
        ]},
    ]})  # fmt: skip
    body = (
        '<h1>Blue mug</h1><div class="product-price"><span class="current-price">19,90 €</span></div>'
        '<form action="/x"><button class="add-to-cart">Add to basket</button></form>'
    )
    source = page_store(crawl, "/mug", f"<html><head><title>Blue mug</title></head><body>{body}</body></html>")
    extract(project)
    row = Extraction.objects.get(source=source)
    assert row.data == {"price": {"amount": "19.90", "currency": "€"}}
    assert (row.evidence["price"]["kind"], row.evidence["price"]["method"]) == ("markup", "product_markup")
    assert row.ungrounded == []


def test_the_charset_of_the_reply_is_that_of_the_extraction(project: Project, crawl: JobRef) -> None:
    body = html("Кружка", head="").encode("windows-1251")
    source = page_store(crawl, "/mug", body, content_type="text/html; charset=windows-1251")
    extract(project)
    assert found(source)["page"] == {"heading": "Кружка"}


# Again


def test_what_is_done_is_left_out_unless_forced(project: Project, crawl: JobRef) -> None:
    source = page_store(crawl, "/mug", product("Mug"))
    extract(project)
    before = set(Extraction.objects.values_list("pk", flat=True))
    payload: dict[str, Any] = {"schema_number": 1}
    assert not sources_selected(project.pk, payload).exists()
    again = extract(project, force=True)
    assert states(again) == {str(source): "done:extracted"}
    after = set(Extraction.objects.values_list("pk", flat=True))
    assert len(after) == 2
    assert not after & before
    assert set(Extraction.objects.values_list("job_id", flat=True)) == {again.pk}


def test_some_field_groups_leave_the_others_alone(project: Project, crawl: JobRef) -> None:
    source = page_store(crawl, "/mug", product("Mug"))
    partial = extract(project, field_groups=["page"])
    assert set(found(source)) == {"page"}
    row = Source.objects.get(pk=source)
    assert (row.status, row.extracted_version) == ("partial", None)
    assert states(partial) == {str(source): "done:extracted"}
    whole = extract(project)  # it is still to be done
    assert states(whole) == {str(source): "done:extracted"}
    product_row = Extraction.objects.get(field_group="product")
    extract(project, field_groups=["page"])
    assert Extraction.objects.get(field_group="product").pk == product_row.pk
    assert Extraction.objects.count() == 2


def test_a_new_schema_makes_what_was_done_stale(project: Project, crawl: JobRef) -> None:
    source = page_store(crawl, "/mug", product("Mug", colour="blue"))
    extract(project)
    only = {**SCHEMA, "field_groups": SCHEMA["field_groups"][1:]}
    schema_save(project.pk, only, force=True)
    assert [row.pk for row in sources_selected(project.pk, {"schema_number": 2})] == [source]
    extract(project)
    assert set(found(source)) == {"page"}  # the group that is no more is gone with its values
    assert Extraction.objects.get().schema_version == SchemaVersion.objects.get(number=2)
    assert Source.objects.get(pk=source).extracted_version == 2


def test_a_job_keeps_the_schema_it_was_started_with(project: Project, crawl: JobRef) -> None:

    source = page_store(crawl, "/mug", product("Mug"))
    job_id = extract_submit(project_id=project.pk)
    schema_save(project.pk, {**SCHEMA, "field_groups": SCHEMA["field_groups"][1:]}, force=True)
    drive(job_id)
    assert set(found(source)) == {"product", "page"}
    assert Source.objects.get(pk=source).extracted_version == 1
    assert sources_selected(project.pk, {"schema_number": 2}).exists()


def test_a_source_marked_gone_is_not_selected(project: Project, crawl: JobRef) -> None:
    source = page_store(crawl, "/mug", product("Mug"))
    Source.objects.filter(pk=source).update(gone_at="2024-01-01T00:00:00Z")
    assert not sources_selected(project.pk, {"force": True}).exists()


# Hostile pages


def test_hostile_values_are_stored(project: Project, crawl: JobRef) -> None:
    stated = '{"@type": "Product", "name": "Mug \\ud800 \\u0000 blue"}'
    body = html("M\x00ug", head=f'<script type="application/ld+json">{stated}</script>')
    source = page_store(crawl, "/mug", body)
    job = extract(project)
    assert states(job) == {str(source): "done:extracted"}
    assert "\x00" not in str(found(source))
    assert found(source)["page"] == {"heading": "Mug"}


def test_nothing_unstorable_is_written(project: Project, crawl: JobRef, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an extractor lets through: values are stored without NUL and lone surrogates."""
    source = page_store(crawl, "/mug", product("Mug"))
    real = worker.page_extract

    def poisoned(*given: Any) -> Any:
        results, notes = real(*given)
        return [replace(one, data={"na\x00me": ["a\x00\ud800"]}) for one in results], notes

    monkeypatch.setattr(worker, "page_extract", poisoned)
    extract(project)
    assert found(source) == {group: {"name": ["a?"]} for group in ("product", "page")}


def test_a_page_that_breaks_an_extractor_fails_alone(
    project: Project, crawl: JobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = page_store(crawl, "/a", product("A")), page_store(crawl, "/b", product("B"))
    real = worker.page_extract

    def breaking(page: Any, *rest: Any) -> Any:
        if page.title == "A":
            raise RecursionError("nested beyond reason")
        return real(page, *rest)

    monkeypatch.setattr(worker, "page_extract", breaking)
    job = extract(project)
    assert states(job) == {str(bad): "failed:internal", str(good): "done:extracted"}
    assert job.status == "completed"


def test_a_result_that_cannot_be_stored_fails_alone(
    project: Project, crawl: JobRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is settled together with others: all are in one lane, and no settle is due because of the time."""
    monkeypatch.setattr(kind, "LANES", 1)
    monkeypatch.setattr(slice, "SETTLE_AFTER_SECONDS", 3600.0)
    pages = {name: page_store(crawl, f"/{name}", product(name)) for name in "abcdefghij"}
    real = worker.page_extract

    def refused(page: Any, *rest: Any) -> Any:
        results, notes = real(page, *rest)
        return [replace(one, confidence=7.0) for one in results] if page.title == "c" else results, notes

    monkeypatch.setattr(worker, "page_extract", refused)
    job = extract(project)
    assert {name for name, pk in pages.items() if states(job)[str(pk)] == "failed:internal"} == {"c"}
    assert Extraction.objects.count() == 18
    assert Source.objects.get(pk=pages["c"]).status == "ready"


def test_lanes_are_few_and_every_source_has_its_own_item() -> None:
    items = [source_item(UUID(int=number)) for number in range(40)]
    assert {item.lane for item in items} == {f"extract:{number}" for number in range(4)}
    assert len({item.key for item in items}) == 40
