"""What is indexed of a row, and by which of its values searches can filter: both bounded."""

import pytest

from extraction.vectors.points import (
    MAX_FILTER_CHARACTERS,
    MAX_INDEX_CHARACTERS,
    extraction_text,
    filterable,
    passage_text,
)
from tests.helpers.knowledge import Knowledge, TrippingStore

LONG = "word " * MAX_INDEX_CHARACTERS


@pytest.mark.parametrize(
    "text",
    [
        passage_text(text=LONG, context="Probes"),
        passage_text(text="end", context=LONG),
        extraction_text(field_group="product", data={"name": LONG}, title="Shop"),
    ],
    ids=["passage", "context", "extraction"],
)
def test_no_more_is_indexed_than_the_limit(text):
    assert len(text) == MAX_INDEX_CHARACTERS


def test_a_long_text_is_no_filter():
    data = {"short": "x" * MAX_FILTER_CHARACTERS, "long": "x" * (MAX_FILTER_CHARACTERS + 1)}
    assert filterable(data) == {"short": data["short"]}
    assert filterable({"list": list(data.values()), "object": data}) == {
        "list": [data["short"]],
        "object": {"short": data["short"]},
    }


@pytest.mark.django_db(transaction=True)
def test_a_long_row_reaches_the_store(knowledge: Knowledge, store: TrippingStore, drained) -> None:
    row = knowledge.extraction({"name": LONG})
    drained()
    assert store.existing([row.pk]) == {row.pk}
