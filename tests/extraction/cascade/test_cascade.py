"""The cascade: order, missing fields, outages, and what becomes of bad values."""

from __future__ import annotations

import asyncio
import threading

import pytest

from extraction.cascade.cascade import run_cascade
from extraction.cascade.extractors.base import Dropped, Found
from extraction.cascade.merge import merge_found
from extraction.errors import NotApplicable
from extraction.evidence.page import PageInput
from extraction.evidence.verify import Evidence, text_evidence
from extraction.schema.model import ExtractionSchema, FieldSpec
from jobs.errors import Unavailable
from jobs.worker.cpu import on_cpu
from tests.helpers.factories import PATIENCE_SECONDS

PAGE = PageInput(
    "https://a.example/", "", "Acme makes mugs. Bolt makes nuts. Price 10 EUR, later 12 EUR. Red and blue."
)


class Scripted:
    """Says what it was told to, and remembers what it was asked."""

    def __init__(self, name, *findings, error=None):
        self.name, self.findings, self.error, self.asked = name, findings, error, []

    def extract(self, page, group, missing):
        self.asked.append(missing)
        if self.error is not None:
            raise self.error
        return [finding for finding in self.findings if finding.field in missing or finding.field == "stranger"]


def said(field, value, quote, *, confidence=0.9, index=0, method="test"):
    evidence = text_evidence(PAGE, quote, method=method, confidence=confidence)
    if evidence is None:
        evidence = Evidence(kind="ungrounded", quote=quote, method=method, confidence=confidence)
    return Found(field, value, evidence, index)


def schema(*fields, **group):
    return ExtractionSchema.parse({"name": "s", "field_groups": [{"name": "g", "fields": list(fields), **group}]})


NAME, PRICE = {"name": "name"}, {"name": "price", "field_type": "money"}


def test_each_extractor_is_asked_only_for_what_is_missing():
    first = Scripted("first", said("name", "Acme", "Acme makes mugs", confidence=0.8))
    second = Scripted("second", said("price", {"amount": "10", "currency": "EUR"}, "Price 10 EUR"))
    third = Scripted("third")
    (result,) = run_cascade([first, second, third], PAGE, schema(NAME, PRICE))
    assert (first.asked, second.asked, third.asked) == ([{"name", "price"}], [{"price"}], [])
    assert result.data == {"name": "Acme", "price": {"amount": "10", "currency": "EUR"}}
    assert result.confidence == 0.8
    assert result.evidence_json()["name"]["quote"] == "Acme makes mugs"


def test_abstaining_moves_on_and_an_outage_does_not():
    weak = Scripted("weak", said("name", "Acme", "Acme"))
    assert (
        run_cascade([Scripted("none", error=NotApplicable("no")), weak], PAGE, schema(NAME))[0].data["name"] == "Acme"
    )
    with pytest.raises(Unavailable):
        run_cascade([Scripted("down", error=Unavailable("down")), weak], PAGE, schema(NAME))
    assert len(weak.asked) == 1


def test_defaults_are_never_stored():
    assert run_cascade([Scripted("silent")], PAGE, schema({**NAME, "default": "Nobody"})) == []


def test_bad_values_are_noted_not_stored():
    notes = []
    extractor = Scripted(
        "x",
        Found("price", "ten", said("price", 0, "Price 10 EUR").evidence),
        Dropped("name", "???", "The text is empty.", "x"),
        said("stranger", "Acme", "Acme"),
    )
    assert run_cascade([extractor], PAGE, schema(NAME, PRICE), on_note=notes.append) == []
    assert [(note.field, note.raw) for note in notes] == [("price", "ten"), ("name", "???"), (None, "Acme")]


def test_a_proof_that_does_not_state_the_value_makes_it_ungrounded():
    liar = Scripted(
        "liar",
        said("price", {"amount": "99", "currency": "EUR"}, "Price 10 EUR"),
        said("name", "Acme", "Acme"),
    )
    honest = Scripted("honest", said("price", {"amount": "12", "currency": "EUR"}, "later 12 EUR", confidence=0.5))
    (alone,) = run_cascade([liar], PAGE, schema(NAME, PRICE))
    assert alone.ungrounded == ("price",)
    assert alone.evidence["price"].kind == "ungrounded"
    (result,) = run_cascade([liar, honest], PAGE, schema(NAME, PRICE))
    assert result.data["price"]["amount"] == "12"
    assert result.ungrounded == ()
    assert [(c.field, c.value["amount"]) for c in result.disagreements] == [("price", "99")]


def test_entities_of_a_list_are_joined_by_their_first_field():
    listing = schema(NAME, {"name": "makes"}, is_entity_list=True)
    first = Scripted("first", said("name", "Acme", "Acme"), said("name", "Bolt", "Bolt", index=1))
    second = Scripted("second", said("name", "bolt", "Bolt"), said("makes", "nuts", "Bolt makes nuts"))
    results = run_cascade([first, second], PAGE, listing)
    assert second.asked == [{"name", "makes"}]
    assert [result.data for result in results] == [{"name": "Acme"}, {"name": "Bolt", "makes": "nuts"}]
    assert [result.entity_index for result in results] == [0, 1]


def test_max_items_cuts_with_a_note():
    listing = schema(NAME, is_entity_list=True, max_items=1)
    notes = []
    extractor = Scripted("x", said("name", "Acme", "Acme"), said("name", "Bolt", "Bolt", index=1))
    assert len(run_cascade([extractor], PAGE, listing, on_note=notes.append)) == 1
    assert "1 entities beyond max_items" in notes[0].reason


def test_required_fields_not_found_are_noted():
    (result,) = run_cascade(
        [Scripted("x", said("name", "Acme", "Acme"))], PAGE, schema(NAME, {**PRICE, "required": True})
    )
    assert [(note.field, note.reason) for note in result.notes] == [("price", "Required, but not found.")]


@pytest.mark.parametrize(
    ("strategy", "kept"),
    [("highest_confidence", "a"), ("most_common", "b"), ("latest", "c"), ("collect_unique", "a")],
)
def test_merge_strategies_for_single_values(strategy, kept):
    field = FieldSpec(name="f", merge_strategy=strategy)
    found = [said("f", v, "Acme", confidence=c) for v, c in (("b", 0.5), ("a", 0.9), ("b", 0.6), ("c", 0.7))]
    merged = merge_found(field, found)
    assert merged.value == kept
    assert {one.value for one in merged.disagreements} == {"a", "b", "c"} - {kept}


def test_any_true_lists_and_lines():
    flag = FieldSpec(name="f", field_type="boolean", merge_strategy="any_true")
    assert merge_found(flag, [said("f", False, "Red", confidence=1), said("f", True, "blue")]).value is True
    colours = FieldSpec(name="f", field_type="list")
    merged = merge_found(colours, [said("f", ["Red"], "Red"), said("f", ["red", "blue"], "blue", confidence=0.4)])
    assert merged.value == ["Red", "blue"]
    assert (merged.evidence.confidence, len(merged.evidence.parts)) == (0.4, 1)
    lines = FieldSpec(name="f", merge_strategy="merge_dedupe")
    assert merge_found(lines, [said("f", v, "Acme") for v in ("Acme", "Bolt", "Acme")]).value == "Acme\nBolt"


def test_once_nobody_waits_no_extractor_is_asked_any_more():
    """A job is cancelled while the first extractor is at work on one of its pages."""
    gate, told = threading.Event(), threading.Event()
    first = Scripted("first", said("name", "Acme", "Acme makes mugs"))
    second, extract = Scripted("second"), first.extract

    def held(*asked):
        told.set()
        assert gate.wait(PATIENCE_SECONDS)
        return extract(*asked)

    first.extract = held

    async def story():
        page = asyncio.create_task(on_cpu(run_cascade, [first, second], PAGE, schema(NAME, PRICE)))
        await asyncio.to_thread(told.wait, PATIENCE_SECONDS)
        page.cancel()
        with pytest.raises(asyncio.CancelledError):
            await page
        gate.set()
        await asyncio.gather(on_cpu(both.wait, PATIENCE_SECONDS), on_cpu(both.wait, PATIENCE_SECONDS))

    both = threading.Barrier(2)  # passed once both threads are free of what was abandoned
    asyncio.run(story())
    assert (len(first.asked), second.asked) == (1, [])
