"""From a row to its point: the text that is indexed, and the payload that searches filter by.

Only grounded values take part: a value without evidence can neither be found nor filtered by.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from extraction.models import Extraction, Passage
from extraction.passages.chunks import index_text
from extraction.states import PointKind
from extraction.vectors import bm25
from extraction.vectors.embedding import Embedder
from extraction.vectors.stores.base import Point
from jobs.postgres.id_arrays import IdArray

MAX_INDEX_CHARACTERS = 50_000
MAX_FILTER_CHARACTERS = 300
"""A longer text is searched for, never compared as a whole, so it does not burden the payload."""

_SOURCE = ("source__source_group", "source__language", "source__title")
_OWNERS = ("id", "project_id", "job_id", "source_id")


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """What a row gives to its point: the text to embed and the payload."""

    id: UUID
    text: str
    payload: dict[str, Any]


def rows_load(ids: Sequence[UUID]) -> dict[UUID, IndexedRow]:
    """Return the rows of these points as they are now; a vanished one is missing. Two queries."""
    wanted = IdArray(ids)
    passages = Passage.objects.filter(pk__any=wanted).order_by().values(*_OWNERS, *_SOURCE, "text", "context")
    extractions = Extraction.objects.filter(pk__any=wanted).order_by()
    extractions = extractions.values(*_OWNERS, *_SOURCE, "field_group", "data", "ungrounded")
    rows = [_passage_row(row) for row in passages] + [_extraction_row(row) for row in extractions]
    return {row.id: row for row in rows}


def points_make(rows: Sequence[IndexedRow], embedder: Embedder) -> list[Point]:
    """Return the points of these rows. Raises: EmbedderUnavailable, EmbedderRejected."""
    vectors = embedder.embed_texts([row.text for row in rows])
    sparse = [bm25.document_vector(row.text) for row in rows]
    return [
        Point(row.id, dense, weights.indices, weights.values, row.payload)
        for row, dense, weights in zip(rows, vectors, sparse, strict=True)
    ]


def passage_text(*, text: str, context: str) -> str:
    """Return what is indexed of a passage: its context (title, headings, a table's header), then its text."""
    return index_text(text=text, context=context.strip())[:MAX_INDEX_CHARACTERS]


def extraction_text(*, field_group: str, data: Mapping[str, Any], title: str) -> str:
    """Return what is indexed of an extraction: its group, its source's title, a line for each field."""
    lines = [field_group.replace("_", " "), title]
    lines += [f"{name.replace('_', ' ')}: {value_text(value)}" for name, value in data.items()]
    return "\n".join(line for line in lines if line)[:MAX_INDEX_CHARACTERS]


def grounded(data: Any, ungrounded: Iterable[str]) -> dict[str, Any]:
    """Return the fields that have a value and evidence for it.

    A column filled by hand may hold anything: what is not an object has no fields, so that it does not block the queue.
    """
    if not isinstance(data, Mapping):
        return {}
    without_evidence = [*ungrounded] if isinstance(ungrounded, list) else []
    return {name: value for name, value in data.items() if value is not None and name not in without_evidence}


def value_text(value: Any) -> str:
    """Return a field's value as people read it: lists with commas, the parts of an object with spaces."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(filter(None, (value_text(part) for part in value.values())))
    if isinstance(value, list):
        return ", ".join(filter(None, (value_text(part) for part in value)))
    return "" if value is None else str(value)


def filterable(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `data` that searches can filter by: plain values, lists of them, objects of them."""
    return dict(_filterable_items(data))


def _filterable_items(data: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping):
            if inner := filterable(value):
                yield name, inner
        elif isinstance(value, list):
            if entries := [plain for entry in value if (plain := _plain(entry)) is not None]:
                yield name, entries
        elif (plain := _plain(value)) is not None:
            yield name, plain


def _plain(value: Any) -> str | int | float | bool | None:
    """Return a value the store can compare, or None: it keeps 64-bit integers and short texts."""
    if isinstance(value, str):
        return value if len(value) <= MAX_FILTER_CHARACTERS else None
    if isinstance(value, int):
        return value if abs(value) < 2**63 else _plain_float(value)
    return value if isinstance(value, float) and math.isfinite(value) else None


def _plain_float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _passage_row(row: Mapping[str, Any]) -> IndexedRow:
    text = passage_text(text=row["text"], context=row["context"])
    return IndexedRow(row["id"], text, _payload(row, kind=PointKind.PASSAGE))


def _extraction_row(row: Mapping[str, Any]) -> IndexedRow:
    data = grounded(row["data"], row["ungrounded"])
    text = extraction_text(field_group=row["field_group"], data=data, title=row["source__title"])
    payload = _payload(row, kind=PointKind.EXTRACTION, field_group=row["field_group"], data=filterable(data))
    return IndexedRow(row["id"], text, payload)


def _payload(row: Mapping[str, Any], *, kind: PointKind, **more: Any) -> dict[str, Any]:
    payload = {
        "kind": kind.value,
        "project_id": str(row["project_id"]),
        "job_id": str(row["job_id"]) if row["job_id"] else None,
        "source_id": str(row["source_id"]),
        "source_group": row["source__source_group"],
        "language": row["source__language"],
        **more,
    }
    return {name: value for name, value in payload.items() if value is not None}
