"""From ranked point ids to hits: rows as PostgreSQL has them now, with every restriction checked again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from extraction.models import Extraction, Passage
from extraction.search.snippets import Segment, snippet_make
from extraction.states import PointKind
from extraction.vectors.points import extraction_text, filterable, grounded
from extraction.vectors.stores.base import Hit, SearchFilter
from jobs.postgres.id_arrays import IdArray

_SOURCE = (
    "id",
    "source_id",
    "source__url",
    "source__title",
    "source__source_group",
    "source__language",
)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A row that answers. data, evidence and confidence belong to extractions, heading_path to passages.

    text: what was indexed, links and context aside; snippet: `(text, is_match)` segments of it, plain text.
    """

    kind: PointKind
    id: UUID
    score: float
    source_id: UUID
    source_url: str
    source_title: str
    source_group: str
    language: str
    text: str
    snippet: list[Segment]
    field_group: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    confidence: float | None = None
    heading_path: list[str] = field(default_factory=list)


def hits_read(ranked: Sequence[Hit], wanted: SearchFilter, *, query: str) -> list[SearchHit]:
    """Return the ranked hits whose rows exist and satisfy `wanted`, in their order. Two queries."""
    scores = {hit.id: hit.score for hit in ranked}
    found = {hit.id: hit for hit in _extraction_hits(scores, wanted, query)}
    found |= {hit.id: hit for hit in _passage_hits(scores, wanted, query)}
    return [found[hit.id] for hit in ranked if hit.id in found]


def _extraction_hits(scores: Mapping[UUID, float], wanted: SearchFilter, query: str) -> list[SearchHit]:
    if wanted.kinds and PointKind.EXTRACTION not in wanted.kinds:
        return []
    rows = _restricted(Extraction.objects.filter(pk__any=IdArray(scores)), wanted)
    if wanted.field_groups:
        rows = rows.filter(field_group__in=wanted.field_groups)
    hits = []
    for row in rows.values(*_SOURCE, "field_group", "data", "evidence", "ungrounded", "confidence"):
        data = grounded(row["data"], row["ungrounded"])
        if data and has_data(filterable(data), wanted.data):
            hits.append(_extraction_hit(row, data, scores[row["id"]], query))
    return hits


def _extraction_hit(row: Mapping[str, Any], data: dict[str, Any], score: float, query: str) -> SearchHit:
    text = extraction_text(field_group=row["field_group"], data=data, title="")
    return SearchHit(
        kind=PointKind.EXTRACTION,
        score=score,
        text=text,
        snippet=snippet_make(text, query),
        field_group=row["field_group"],
        data=data,
        evidence={name: proof for name, proof in row["evidence"].items() if name in data},
        confidence=row["confidence"],
        **_source_facts(row),
    )


def _passage_hits(scores: Mapping[UUID, float], wanted: SearchFilter, query: str) -> list[SearchHit]:
    if (wanted.kinds and PointKind.PASSAGE not in wanted.kinds) or wanted.field_groups:
        return []
    if not has_data({}, wanted.data):
        return []
    rows = _restricted(Passage.objects.filter(pk__any=IdArray(scores)), wanted)
    return [
        SearchHit(
            kind=PointKind.PASSAGE,
            score=scores[row["id"]],
            text=row["text"],
            snippet=snippet_make(row["text"], query),
            heading_path=row["heading_path"],
            **_source_facts(row),
        )
        for row in rows.values(*_SOURCE, "text", "heading_path")
    ]


def _restricted(rows: QuerySet[Any], wanted: SearchFilter) -> QuerySet[Any]:
    rows = rows.filter(project_id=wanted.project_id).order_by()
    if wanted.source_groups:
        rows = rows.filter(source__source_group__in=wanted.source_groups)
    if wanted.languages:
        rows = rows.filter(source__language__in=wanted.languages)
    return rows


def _source_facts(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "source_id": row["source_id"],
        "source_url": row["source__url"],
        "source_title": row["source__title"],
        "source_group": row["source__source_group"],
        "language": row["source__language"],
    }


def has_data(data: Any, wanted: Mapping[str, Any]) -> bool:
    """Return whether `data` satisfies a data filter as `SearchFilter` defines it."""
    for name, value in wanted.items():
        found = data.get(name) if isinstance(data, Mapping) else None
        if isinstance(value, Mapping):
            if not has_data(found, value):
                return False
            continue
        choices = value if isinstance(value, list | tuple) else [value]
        if choices and not any(_equals(found, choice) for choice in choices):
            return False
    return True


def _equals(found: Any, choice: Any) -> bool:
    if choice is None:
        return found is None or found == []
    if isinstance(found, list):
        return any(_equals(entry, choice) for entry in found)
    if isinstance(found, bool) or isinstance(choice, bool):
        return found is choice
    return bool(found == choice)
