"""Owners of artifacts that own nothing: the real ones' words, without their tables and stores."""

from collections.abc import Sequence
from uuid import UUID

from jobs.registry import owners
from jobs.registry.owners import ArtifactOwner, Removed


class EmptyOwner(ArtifactOwner):
    """Speaks as `real` does, and never has anything."""

    def __init__(self, real: ArtifactOwner) -> None:
        self.name, self.rank, self.artifacts = real.name, real.rank, real.artifacts
        self.deleted_fields, self.held_field = real.deleted_fields, real.held_field

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Remove nothing."""
        return {}

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Give nothing away."""
        return 0

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return 0."""
        return 0


def empty_owners() -> dict[str, ArtifactOwner]:
    """Return an empty owner for each that is registered, by name."""
    return {owner.name: EmptyOwner(owner) for owner in owners.in_delete_order()}
