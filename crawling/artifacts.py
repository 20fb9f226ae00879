"""Sources as artifacts of crawls and scrapes: held by the jobs that fetched them, removed with the last hold."""

from collections.abc import Sequence
from uuid import UUID

from django.db.models.functions import Now

from crawling import dependants
from crawling.models import Source, SourceContent, SourceHold
from jobs.owners import Removed


class SourceOwner:
    """See `jobs.owners.ArtifactOwner`."""

    name = "sources"
    rank = 20

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Let go of up to `size` sources; those nobody else holds are deleted with all that was made of them."""
        locked = _lock_held(job_id, size)
        if not locked:
            return {}
        # Who else holds them is asked in a statement of its own: it sees what was linked before the locks.
        shared = _other_holders(job_id, locked)
        SourceHold.objects.filter(job_id=job_id, source_id__in=locked)._raw_delete("default")
        adopted = set(Source.objects.filter(pk__in=locked, adopted_at__isnull=False).values_list("pk", flat=True))
        kept = [source_id for source_id in locked if source_id in shared or source_id in adopted]
        gone = [source_id for source_id in locked if source_id not in shared and source_id not in adopted]
        _hand_over(job_id, {source_id: shared.get(source_id) for source_id in kept})
        removed = sources_delete(gone, job_id=job_id)
        return removed | {"sources": Removed(found=len(locked), deleted=len(gone), kept_shared=len(kept))}

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Leave up to `size` sources to the project: they stay listed and searchable without a job.

        Those that other jobs hold, too: the project's hold takes the place of this job's.
        """
        locked = _lock_held(job_id, size)
        shared = _other_holders(job_id, locked)
        SourceHold.objects.filter(job_id=job_id, source_id__in=locked)._raw_delete("default")
        Source.objects.filter(pk__in=locked).update(adopted_at=Now())
        _hand_over(job_id, {source_id: shared.get(source_id) for source_id in locked})
        return len(locked)

    def work_off(self, job_ids: Sequence[UUID]) -> None:
        """Nothing was queued: the rows are gone."""

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return how many sources these jobs hold."""
        return SourceHold.objects.filter(job_id__in=job_ids).count()


def sources_delete(source_ids: Sequence[UUID], *, job_id: UUID | None = None) -> dict[str, Removed]:
    """Delete locked sources that nobody holds, with their dependants; return the dependants' numbers.

    job_id: the job whose cleanup this is.
    """
    removed: dict[str, Removed] = {}
    for dependant in dependants.all_of_them():
        numbers = dependant.remove(source_ids, job_id=job_id)
        removed |= {kind: Removed.all_of(number) for kind, number in numbers.items()}
    SourceContent.objects.filter(source_id__in=source_ids)._raw_delete("default")
    Source.objects.filter(pk__in=source_ids)._raw_delete("default")
    return removed


def _lock_held(job_id: UUID, size: int) -> list[UUID]:
    """Return up to `size` sources the job holds, locked in URL order: the order of every writer."""
    # Unordered: ORDER BY id would make the planner walk the holds of all earlier jobs, chunk after chunk.
    ids = list(SourceHold.objects.filter(job_id=job_id).order_by().values_list("source_id", flat=True)[:size])
    return list(Source.objects.select_for_update().filter(pk__in=ids).order_by("url").values_list("pk", flat=True))


def _other_holders(job_id: UUID, source_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return source → one other job that holds it, for those that have one."""
    holds = SourceHold.objects.filter(source_id__in=source_ids).exclude(job_id=job_id)
    return dict(holds.order_by("id").values_list("source_id", "job_id"))


def _hand_over(job_id: UUID, heirs: dict[UUID, UUID | None]) -> None:
    """Give what the job wrote of sources that stay to another holder, or to the project (None)."""
    by_heir: dict[UUID | None, list[UUID]] = {}
    for source_id, heir in heirs.items():
        by_heir.setdefault(heir, []).append(source_id)
    for heir, source_ids in by_heir.items():
        Source.objects.filter(pk__in=source_ids, job_id=job_id).update(job_id=heir)
        for dependant in dependants.all_of_them():
            dependant.hand_over(source_ids, from_job_ids=[job_id], to_job_id=heir)
