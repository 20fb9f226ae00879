"""Vectors as artifacts of a job: counted in the store itself, deleted through the outbox.

Every process registers this owner, few remove anything: what takes a second to load is imported where it is used.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

from extraction.states import VectorOperation
from extraction.vectors import outbox
from jobs.errors import Unavailable
from jobs.registry.owners import ArtifactOwner, Removed, ReplyField


class VectorOwner(ArtifactOwner):
    """The points of a job's rows. It follows the rows: their deletion is what queues that of the points."""

    name = "vectors"
    rank = 10
    artifacts = ("vectors",)
    deleted_fields = {
        "vectors": ReplyField("embeddings_deleted", "Counted once the vector store itself has confirmed it.")
    }

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return how many points the store holds of these jobs, or changes that still could write one.

        Raises: Unavailable when the store does not answer.
        """
        return max(_stored(job_ids), outbox.changes_left(job_ids))

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Nothing is left to queue: the triggers queued every point with its row."""
        return {}

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Nothing is left to hand over: the points follow their rows."""
        return 0

    def confirmed(self, removal: Mapping[str, Removed]) -> dict[str, Removed]:
        """Return one point for each row that was removed: the store has none of them left."""
        return {"vectors": Removed.all_of(removal["extractions"].deleted + removal["passages"].deleted)}

    def work_off(self, job_ids: Sequence[UUID]) -> None:
        """Drain what the removal of rows queued, and find points that neither row nor change accounts for.

        What another drainer holds, or has to be applied once more, is left to the next call: `count` tells.
        Raises: Unavailable.
        """
        from extraction.audit import compare  # the store's clients take a second to load, as below

        _drain(VectorOperation.DELETE)
        if _stored(job_ids):
            _drain(VectorOperation.UPSERT)  # rows that now belong to another job still say the old one in the store
        # In this order: another drainer takes points out of the store first and changes out of the outbox then.
        if not outbox.changes_left(job_ids) and _stored(job_ids):
            compare.audit(fix=True)
            _drain(VectorOperation.UPSERT)
            _drain(VectorOperation.DELETE)


def _drain(operation: VectorOperation) -> None:
    from extraction.vectors.drain import DRAIN_SECONDS, drain  # as above

    receipt = drain(operation, seconds=DRAIN_SECONDS / 2)
    if receipt.unavailable:
        raise Unavailable(f"The vectors cannot be removed now: {receipt.unavailable}")


def _stored(job_ids: Sequence[UUID]) -> int:
    from extraction.vectors import process_store  # as above
    from extraction.vectors.apply import OUTAGES
    from extraction.vectors.stores.base import StoreError

    try:
        return process_store.store().count(job_ids=job_ids)
    except (StoreError, *OUTAGES) as error:
        raise Unavailable(f"The vector store cannot be counted: {error.detail}") from error
