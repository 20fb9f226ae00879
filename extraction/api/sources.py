"""REST: the sources of a project and what was extracted from them."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Header, Query, Router, Status

from extraction.api.schemas_sources import (
    ExtractIn,
    ExtractionFilters,
    ExtractionList,
    ExtractionOut,
    ExtractStarted,
    GroupCount,
    SourceFilters,
    SourceList,
    SourceOut,
    StatusCount,
    SummaryOut,
)
from extraction.models import Extraction
from extraction.work import listing
from extraction.work.submission import extract_submit
from jobs.api.access import XApiKey, actor_fields
from jobs.api.idempotent import CreateHeaders, created
from jobs.api.schemas import problems
from jobs.queries.listing import job_read
from jobs.states import JobStatus

router = Router(tags=["knowledge"])

_VIEW_SOURCE = XApiKey("crawling.view_source")


@router.get("/{project_id}/sources", auth=_VIEW_SOURCE, response={200: SourceList, **problems(404)})
def list_sources(request: HttpRequest, project_id: UUID, filters: Query[SourceFilters]) -> Status[SourceList]:
    """List the sources of a project."""
    page = listing.sources_page(project_id, **filters.model_dump())
    sources = [SourceOut.model_validate(source) for source in page.rows]
    return Status(200, SourceList(sources=sources, total=page.total, limit=filters.limit, offset=filters.offset))


@router.get("/{project_id}/sources/summary", auth=_VIEW_SOURCE, response={200: SummaryOut, **problems(404)})
def summarize_sources(request: HttpRequest, project_id: UUID) -> Status[SummaryOut]:
    """Count the sources of a project by status and by source group."""
    found = listing.sources_summary(project_id)
    summary = SummaryOut(
        total_sources=found.total,
        by_status=[StatusCount(status=name, count=number) for name, number in found.by_status.items()],
        by_source_group=[GroupCount(source_group=name, count=number) for name, number in found.by_source_group.items()],
    )
    return Status(200, summary)


@router.post(
    "/{project_id}/extract",
    auth=XApiKey("jobs.submit_job"),
    response={202: ExtractStarted, **problems(400, 404, 409, 413)},
)
def start_extraction(
    request: HttpRequest, project_id: UUID, headers: Header[CreateHeaders], body: ExtractIn | None = None
) -> Status[ExtractStarted] | HttpResponse:
    """Start an extraction from the sources that are not done with the current schema, or from those named."""
    asked = body or ExtractIn.model_validate({})

    def submit() -> ExtractStarted:
        job_id = extract_submit(
            project_id=project_id,
            source_ids=asked.source_ids or (),
            source_groups=asked.source_groups or (),
            field_groups=asked.field_groups or (),
            force=bool(asked.force),
            **actor_fields(request),
        )
        job = job_read(job_id)
        source_count = job.items.count()
        return ExtractStarted(
            job_id=job.pk,
            status=JobStatus(job.status),
            source_count=source_count,
            project_id=project_id,
            warnings=asked.ineffective() + listing.selection_warnings(asked.source_ids or (), source_count),
        )

    return created(request, headers, 202, submit)


@router.get(
    "/{project_id}/extractions",
    auth=XApiKey("extraction.view_extraction"),
    response={200: ExtractionList, **problems(404)},
)
def list_extractions(
    request: HttpRequest, project_id: UUID, filters: Query[ExtractionFilters]
) -> Status[ExtractionList]:
    """List what was extracted, with the evidence of every value."""
    page = listing.extractions_page(project_id, **filters.model_dump())
    found = [_extraction_out(row) for row in page.rows]
    return Status(200, ExtractionList(extractions=found, total=page.total, limit=filters.limit, offset=filters.offset))


def _extraction_out(row: Extraction) -> ExtractionOut:
    return ExtractionOut(
        id=row.pk,
        source_id=row.source_id,
        data=row.data,
        extraction_type=row.field_group,
        source_group=row.source.source_group,
        confidence=row.confidence,
        extracted_at=row.extracted_at,
        created_at=row.created_at,
        source_uri=row.source.url,
        entity_index=row.entity_index,
        evidence=row.evidence,
        ungrounded=row.ungrounded,
        schema_version=row.schema_version.number,
    )
