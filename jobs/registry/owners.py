"""The registry of artifact owners: what a job leaves behind, in which order it goes, how it is counted.

Owners decide and delete by ids only. They are called for one chunk at a time, inside a transaction that holds
the job's lock and writes the receipt, so a receipt is exact however often a cleanup is interrupted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Removed:
    """How many artifacts of one kind were found, deleted, and kept because another job holds them."""

    found: int = 0
    deleted: int = 0
    kept_shared: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.found + other.found, self.deleted + other.deleted, self.kept_shared + other.kept_shared)

    @classmethod
    def all_of(cls, number: int) -> "Removed":
        """Return the receipt of artifacts that were all deleted."""
        return cls(found=number, deleted=number)


class ArtifactOwner(Protocol):
    """One kind of artifact, such as `sources` or `vectors`."""

    name: str
    rank: int  #: higher goes first: extractions 30, sources 20, vectors 10

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Delete up to `size` artifacts of the job with what depends on them; empty when none is left.

        Runs inside a transaction that holds the job's lock; must not wait for a network.
        """
        ...

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Give up to `size` artifacts of the job to its project; 0 when none is left. As `remove_chunk`."""
        ...

    def work_off(self, job_ids: Sequence[UUID]) -> None:
        """Carry out outside any transaction what the removal of rows queued. Raises: Unavailable."""
        ...

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return how many artifacts of these jobs there still are; the store itself is asked.

        Raises: Unavailable when the store does not answer.
        """
        ...


_owners: dict[str, ArtifactOwner] = {}


def register(owner: ArtifactOwner) -> None:
    """Make an owner known under its name; a second registration of the name is refused."""
    if owner.name in _owners and _owners[owner.name] is not owner:
        raise ValueError(f"owner {owner.name!r} is registered twice")
    _owners[owner.name] = owner


def in_delete_order() -> list[ArtifactOwner]:
    """Return all owners, dependants first."""
    return sorted(_owners.values(), key=lambda owner: (-owner.rank, owner.name))
