"""Extractions as artifacts of extract jobs: exactly those the job made."""

from collections.abc import Sequence
from uuid import UUID

from crawling.models import Source
from crawling.states import SourceStatus
from extraction.models import Extraction
from extraction.vectors.chore import drain_wake
from jobs.postgres.chunks import rows_delete
from jobs.registry.owners import ArtifactOwner, Removed, ReplyField


class ExtractionOwner(ArtifactOwner):
    """See `jobs.registry.owners.ArtifactOwner`."""

    name = "extractions"
    rank = 20  # after the sources: with those that go, their extractions have gone
    artifacts = ("extractions", "passages")
    deleted_fields = {"extractions": ReplyField("extractions_deleted", "Extractions deleted so far.")}

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Delete up to `size` extractions; their sources count as not extracted from then on."""
        locked = self._locked_sources(job_id, size)
        ids = _ids(job_id, locked)
        if not ids:
            return {}
        rows_delete(Extraction.objects.filter(pk__any=ids))
        drain_wake()
        others = Extraction.objects.filter(source_id__any=locked).values("source_id")  # what other jobs found there
        Source.objects.filter(pk__any=locked).update(extracted_version=None, status=SourceStatus.READY.value)
        Source.objects.filter(pk__in=others).update(status=SourceStatus.PARTIAL.value)
        return {"extractions": Removed.all_of(len(ids))}

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Leave the extractions of up to `size` rows to the project."""
        return Extraction.objects.filter(pk__any=_ids(job_id, self._locked_sources(job_id, size))).update(job_id=None)

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return how many extractions these jobs made and still have."""
        return Extraction.objects.filter(job_id__any=job_ids).count()

    def _locked_sources(self, job_id: UUID, size: int) -> list[UUID]:
        """Return the sources of the next `size` extractions, locked in URL order as settling does."""
        # Unordered: ORDER BY id would make the planner walk the extractions of all earlier jobs, chunk after chunk.
        rows = Extraction.objects.filter(job_id=job_id).order_by().values_list("source_id", flat=True)
        while wanted := set(rows[:size]):
            sources = Source.objects.select_for_update(no_key=True).filter(pk__any=wanted).order_by("url")
            if locked := list(sources.values_list("pk", flat=True)):
                return locked
            # Another cleanup deleted them all while their locks were waited for, and the extractions with them.
        return []


def _ids(job_id: UUID, source_ids: Sequence[UUID]) -> list[UUID]:
    """Return the job's extractions from these sources, in the order in which their vector changes are locked."""
    rows = Extraction.objects.filter(job_id=job_id, source_id__any=source_ids).order_by("id")
    return list(rows.values_list("pk", flat=True))
