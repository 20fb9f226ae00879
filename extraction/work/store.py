"""What an extraction found, stored inside the settling transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models.functions import Now

from crawling.models import Source
from crawling.states import SourceStatus
from extraction.models import Extraction
from extraction.states import NoteKind
from jobs.postgres.text import storable
from jobs.registry.kinds import JobKey

if TYPE_CHECKING:  # the cascade's parsers take a second to load, and every process loads this module
    from extraction.cascade.cascade import GroupResult


@dataclass(frozen=True, slots=True)
class ExtractionWrite:
    """What the settling transaction stores, if the source is still what it was read from."""

    source_id: UUID
    content_hash: str
    schema_version_id: int
    schema_number: int
    groups: tuple[str, ...]  #: the field groups asked for: their former extractions are replaced
    is_whole: bool  #: all groups of the schema were asked for
    results: "tuple[GroupResult, ...]"


def hashes_lock(source_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return id → content hash of the sources that still exist, locked in URL order against a change."""
    rows = Source.objects.select_for_update(no_key=True).filter(pk__any=source_ids).order_by("url")
    return dict(rows.values_list("pk", "content_hash"))


def extractions_store(job: JobKey, writes: Sequence[ExtractionWrite]) -> None:
    """Replace the extractions of the groups asked for, and mark the sources; those are locked by `hashes_lock`."""
    _replace(job, writes)
    _mark_sources(writes)


def _replace(job: JobKey, writes: Sequence[ExtractionWrite]) -> None:
    for write in writes:
        Extraction.objects.filter(source_id=write.source_id, field_group__in=write.groups).delete()
        if write.is_whole:  # groups that the schema no longer has
            Extraction.objects.filter(source_id=write.source_id).delete()
    Extraction.objects.bulk_create(
        [
            Extraction(
                project_id=job.project_id,
                source_id=write.source_id,
                job_id=job.id,
                schema_version_id=write.schema_version_id,
                field_group=result.group,
                entity_index=result.entity_index,
                data=storable(result.data),
                evidence=storable(result.evidence_json()),
                confidence=result.confidence,
                ungrounded=list(result.ungrounded),
                notes=storable(_notes(result)),
                extracted_at=Now(),
            )
            for write in writes
            for result in write.results
        ],
        batch_size=500,
    )


def _notes(result: "GroupResult") -> list[dict[str, Any]]:
    """Return the conflicts and the dropped values of one entity, as stored."""
    conflicts = [{"kind": NoteKind.CONFLICT, **asdict(one)} for one in result.disagreements]
    return conflicts + [{"kind": NoteKind.NOTE, **asdict(note)} for note in result.notes]


def _mark_sources(writes: Sequence[ExtractionWrite]) -> None:
    by_end: dict[tuple[SourceStatus, int | None], list[UUID]] = {}
    for write in writes:
        number = write.schema_number if write.is_whole else None
        by_end.setdefault((_status(write), number), []).append(write.source_id)
    for (status, number), ids in by_end.items():
        changes: dict[str, Any] = {"status": status.value} | ({"extracted_version": number} if number else {})
        Source.objects.filter(pk__any=ids).update(**changes)


def _status(write: ExtractionWrite) -> SourceStatus:
    if not write.is_whole:
        return SourceStatus.PARTIAL
    return SourceStatus.EXTRACTED if write.results else SourceStatus.COMPLETED
