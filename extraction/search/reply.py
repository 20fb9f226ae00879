"""A search's answer as JSON data: the same from the REST API and from the command."""

from typing import Any

from extraction.search.hybrid import SearchResults
from extraction.search.rows import SearchHit
from extraction.states import PointKind


def results_json(page: SearchResults) -> dict[str, Any]:
    """Return results, query, total and warnings; see `hit_json`."""
    return {
        "results": [hit_json(hit) for hit in page.hits],
        "query": page.query,
        "total": page.total,
        "warnings": page.warnings,
    }


def hit_json(hit: SearchHit) -> dict[str, Any]:
    """Return one hit. A passage has extraction_id null, and its text and headings as data."""
    is_extraction = hit.kind is PointKind.EXTRACTION
    return {
        "extraction_id": str(hit.id) if is_extraction else None,
        "passage_id": None if is_extraction else str(hit.id),
        "kind": hit.kind,
        "score": hit.score,
        "data": hit.data if is_extraction else {"text": hit.text, "heading_path": hit.heading_path},
        "evidence": hit.evidence,
        "field_group": hit.field_group or None,
        "confidence": hit.confidence,
        "source_id": str(hit.source_id),
        "source_uri": hit.source_url,
        "source_title": hit.source_title,
        "source_group": hit.source_group,
        "language": hit.language,
        "snippet": [{"text": text, "is_match": is_match} for text, is_match in hit.snippet],
    }
