"""The sources and extractions of a project, listed a slice at a time, and the sources counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count

from crawling.models import Source
from extraction.models import Extraction
from jobs.control.projects import project_require
from jobs.queries.listing import OffsetPage


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """How many sources a project has, by status and by source group, both sorted by name."""

    total: int
    by_status: dict[str, int]
    by_source_group: dict[str, int]


def sources_page(
    project_id: UUID,
    *,
    source_group: str | None = None,
    status: str | None = None,
    source_type: str | None = None,
    limit: int,
    offset: int = 0,
) -> OffsetPage[Source]:
    """Return sources of a project, oldest first. Raises: NotFound."""
    project_require(project_id)
    wanted = {"source_group": source_group, "status": status, "source_type": source_type}
    rows = Source.objects.filter(
        project_id=project_id, **{name: value for name, value in wanted.items() if value is not None}
    )
    return OffsetPage(list(rows.order_by("id")[offset : offset + limit]), rows.count())


def sources_summary(project_id: UUID) -> SourceSummary:
    """Return the numbers of a project's sources. Raises: NotFound."""
    project_require(project_id)
    by_status: Counter[str] = Counter()
    by_group: Counter[str] = Counter()
    rows = Source.objects.filter(project_id=project_id).order_by()
    for status, group, number in rows.values_list("status", "source_group").annotate(number=Count("id")):
        by_status[status] += number
        by_group[group] += number
    return SourceSummary(by_status.total(), dict(sorted(by_status.items())), dict(sorted(by_group.items())))


def extractions_page(
    project_id: UUID,
    *,
    source_id: UUID | None = None,
    extraction_type: str | None = None,
    source_group: str | None = None,
    min_confidence: float | None = None,
    limit: int,
    offset: int = 0,
) -> OffsetPage[Extraction]:
    """Return extractions of a project, oldest first, with their sources. Raises: NotFound.

    extraction_type: a field group. min_confidence: 0 to 1, inclusive.
    """
    project_require(project_id)
    wanted = {
        "source_id": source_id,
        "field_group": extraction_type,
        "source__source_group": source_group,
        "confidence__gte": min_confidence,
    }
    rows = Extraction.objects.filter(
        project_id=project_id, **{name: value for name, value in wanted.items() if value is not None}
    )
    found = rows.select_related("source", "schema_version").order_by("id")[offset : offset + limit]
    return OffsetPage(list(found), rows.count())


def selection_warnings(source_ids: Sequence[UUID], source_count: int) -> list[str]:
    """Return a sentence if some of the sources asked for are left out."""
    left_out = len(set(source_ids)) - source_count
    if left_out <= 0:
        return []
    return [
        f"{left_out} of the source_ids are left out: unknown in this project, gone, outside the source groups,"
        " or already extracted (repeat with force=true to extract those again)."
    ]
