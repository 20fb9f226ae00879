"""Sources as artifacts: held by the crawls and scrapes that fetched them, removed when none holds them any more."""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.db.models.functions import Now

from crawling.models import Source, SourceContent, SourceHold
from crawling.sources import dependants
from jobs.postgres.chunks import rows_delete
from jobs.postgres.id_arrays import IdArray
from jobs.registry.owners import ArtifactOwner, Removed, ReplyField


class SourceOwner(ArtifactOwner):
    """See `jobs.registry.owners.ArtifactOwner`."""

    name = "sources"
    rank = 30  # with those that go, what was made of them goes
    artifacts = ("sources",)
    deleted_fields = {"sources": ReplyField("sources_deleted", "Sources deleted so far.")}
    held_field = ReplyField("sources_to_cleanup", "Sources that the job holds and a cleanup would go through.")

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Let go of up to `size` sources; those nobody else holds are deleted with all that was made of them."""
        locked = _lock_held(job_id, size)
        if not locked:
            return {}
        shared = _let_go(job_id, locked)
        kept = [source_id for source_id, is_adopted in locked.items() if is_adopted or source_id in shared]
        gone = [source_id for source_id, is_adopted in locked.items() if not is_adopted and source_id not in shared]
        _hand_over(job_id, {source_id: shared.get(source_id) for source_id in kept})
        removed = sources_delete(gone, job_id=job_id)
        return removed | {"sources": Removed(found=len(locked), deleted=len(gone), kept_shared=len(kept))}

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Leave up to `size` sources to the project: they stay listed and searchable without a job.

        Those that other jobs hold, too: the project's hold takes the place of this job's.
        """
        locked = list(_lock_held(job_id, size))
        shared = _let_go(job_id, locked)
        Source.objects.filter(pk__any=locked).update(adopted_at=Now())
        _hand_over(job_id, {source_id: shared.get(source_id) for source_id in locked})
        return len(locked)

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return how many sources these jobs hold."""
        return SourceHold.objects.filter(job_id__any=job_ids).count()


def sources_delete(source_ids: Sequence[UUID], *, job_id: UUID | None = None) -> dict[str, Removed]:
    """Delete locked sources that nobody holds, with their dependants; return the dependants' numbers.

    job_id: the job whose cleanup this is.
    """
    removed: dict[str, Removed] = {}
    for dependant in dependants.all_of_them():
        numbers = dependant.remove(source_ids, job_id=job_id)
        removed |= {kind: Removed.all_of(number) for kind, number in numbers.items()}
    gone = IdArray(source_ids)
    rows_delete(SourceContent.objects.filter(source_id__any=gone))
    rows_delete(Source.objects.filter(pk__any=gone))
    return removed


def _lock_held(job_id: UUID, size: int) -> dict[UUID, bool]:
    """Return up to `size` sources the job holds, locked in URL order as every writer does: id → is it adopted?"""
    # Unordered: ORDER BY id would make the planner walk the holds of all earlier jobs, chunk after chunk.
    ids = list(SourceHold.objects.filter(job_id=job_id).order_by().values_list("source_id", flat=True)[:size])
    rows = Source.objects.select_for_update().filter(pk__any=ids).order_by("url").values_list("pk", "adopted_at")
    return {source_id: adopted_at is not None for source_id, adopted_at in rows}


def _let_go(job_id: UUID, source_ids: Collection[UUID]) -> dict[UUID, UUID]:
    """Remove the job's holds on locked sources; return source → one other job that holds it, where there is one."""
    holds = SourceHold.objects.filter(source_id__any=IdArray(source_ids))
    # Who else holds them is asked in a statement of its own: it sees what was linked before the locks.
    others = dict(holds.exclude(job_id=job_id).order_by("id").values_list("source_id", "job_id"))
    rows_delete(holds.filter(job_id=job_id))
    return others


def _hand_over(job_id: UUID, heirs: dict[UUID, UUID | None]) -> None:
    """Give what the job wrote of sources that stay to another holder, or to the project (None)."""
    by_heir: dict[UUID | None, list[UUID]] = {}
    for source_id, heir in heirs.items():
        by_heir.setdefault(heir, []).append(source_id)
    for heir, source_ids in by_heir.items():
        Source.objects.filter(pk__any=source_ids, job_id=job_id).update(job_id=heir)
        for dependant in dependants.all_of_them():
            dependant.hand_over(source_ids, from_job_ids=[job_id], to_job_id=heir)
