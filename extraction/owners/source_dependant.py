"""What depends on the sources of `crawling`: their passages and extractions, which follow every change of a source."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from crawling.sources.dependants import PageText
from extraction.models import Extraction, Passage, VectorChange
from extraction.passages.chunks import Chunk, chunk_markdown
from extraction.passages.store import passages_replace
from extraction.vectors.chore import drain_wake
from jobs.postgres.id_arrays import IdArray
from jobs.postgres.text import storable_text


class SourceDependant:
    """What is known from a source: its passages and extractions. See `crawling.sources.dependants.Dependant`."""

    name = "extraction"

    def prepare(self, page: PageText) -> list[Chunk]:
        """Return the chunks of the page's evidence text."""
        return chunk_markdown(storable_text(page.text), title=storable_text(page.title))

    def store(self, *, project_id: UUID, job_id: UUID, prepared: Mapping[UUID, Any]) -> None:
        """Replace the passages of new or changed sources; extractions from the former content go."""
        Extraction.objects.filter(source_id__any=list(prepared)).delete()
        passages_replace(prepared, project_id=project_id, job_id=job_id)
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
        Passage.objects.filter(source_id__any=source_ids, job_id__any=from_job_ids).update(job_id=to_job_id)
