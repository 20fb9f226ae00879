"""Passages: pieces of every stored page, so that search works without any schema."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from crawling.sources.dependants import PageText
from extraction.models import Extraction, Passage, VectorChange
from extraction.passages.chunks import Chunk, chunk_markdown
from extraction.vectors.chore import drain_wake
from jobs.postgres.id_arrays import IdArray
from jobs.postgres.text import storable, storable_text

_BATCH = 1000


class SourceDependant:
    """What is known from a source: its passages and extractions. See `crawling.sources.dependants.Dependant`."""

    name = "extraction"

    def prepare(self, page: PageText) -> list[Chunk]:
        """Return the chunks of the page's evidence text."""
        return chunk_markdown(storable_text(page.text), title=storable_text(page.title))

    def store(self, *, project_id: UUID, job_id: UUID, prepared: Mapping[UUID, Any]) -> None:
        """Replace the passages of new or changed sources; extractions from the former content go."""
        source_ids = list(prepared)
        Extraction.objects.filter(source_id__any=source_ids).delete()
        Passage.objects.filter(source_id__any=source_ids).delete()
        rows = [
            _passage(project_id, job_id, source_id, chunk) for source_id, chunks in prepared.items() for chunk in chunks
        ]
        Passage.objects.bulk_create(rows, batch_size=_BATCH)
        drain_wake()

    def remove(self, source_ids: Sequence[UUID], *, job_id: UUID | None = None) -> dict[str, int]:
        """Delete the extractions and passages of these sources; return how many of each.

        job_id: the job whose cleanup this is. Points that other jobs made of these sources go with it, so their
        changes get its name: its cleanup is over only when they have reached the store.
        """
        sources = IdArray(source_ids)
        extractions = Extraction.objects.filter(source_id__any=sources)
        passages = Passage.objects.filter(source_id__any=sources)
        made_by_others = [] if job_id is None else list(extractions.exclude(job_id=job_id).values_list("pk", flat=True))
        numbers = {"extractions": extractions.delete()[0], "passages": passages.delete()[0]}
        if made_by_others:
            VectorChange.objects.filter(point_id__any=made_by_others).update(job_id=job_id)
        drain_wake()
        return numbers

    def hand_over(self, source_ids: Sequence[UUID], *, from_job_ids: Sequence[UUID], to_job_id: UUID | None) -> None:
        """Give the passages of sources that stay to a job that still holds them, or to the project alone."""
        Passage.objects.filter(source_id__any=source_ids, job_id__in=from_job_ids).update(job_id=to_job_id)


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
        context=storable_text(_context(chunk)),
    )


def _context(chunk: Chunk) -> str:
    """Return what surrounds the chunk: title and headings in one line, then the header row of its table."""
    path = [chunk.title, *(heading for heading in chunk.heading_path if heading != chunk.title)]
    return "\n".join(part for part in (" > ".join(part for part in path if part), chunk.table_header) if part)
