"""Passages as rows of PostgreSQL."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from extraction.models import Passage
from extraction.passages.chunks import Chunk
from jobs.postgres.text import storable, storable_text

_BATCH_ROWS = 1000


def passages_replace(chunks_of: Mapping[UUID, Sequence[Chunk]], *, project_id: UUID, job_id: UUID) -> None:
    """Store the chunks of each source (source id → chunks) as its passages, in place of its former ones."""
    Passage.objects.filter(source_id__any=list(chunks_of)).delete()
    rows = [
        _passage(project_id, job_id, source_id, chunk) for source_id, chunks in chunks_of.items() for chunk in chunks
    ]
    Passage.objects.bulk_create(rows, batch_size=_BATCH_ROWS)


def _passage(project_id: UUID, job_id: UUID, source_id: UUID, chunk: Chunk) -> Passage:
    return Passage(
        project_id=project_id,
        source_id=source_id,
        job_id=job_id,
        ordinal=chunk.ordinal,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
        heading_path=storable(list(chunk.heading_path)),
        context=storable_text(chunk.context),
    )
