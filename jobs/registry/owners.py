"""The registry of artifact owners: what a job leaves behind, in which order that is deleted, how it is counted.

Owners decide and delete by ids only. They are called for one chunk at a time, inside a transaction that holds
the job's lock and writes the receipt, so a receipt is exact however often a cleanup is interrupted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True, slots=True)
class ReplyField:
    """A number in a REST reply: its name, and its description in the API document."""

    name: str
    description: str


class ArtifactOwner(Protocol):
    """What one part of the product keeps of a job, in one or several kinds of artifact."""

    name: str  #: what `count` counts
    rank: int  #: highest first: an owner whose deletions include artifacts of others comes before those
    artifacts: tuple[str, ...]  #: the kinds of artifact whose removal its receipts count
    deleted_fields: Mapping[str, ReplyField] = {}  #: kind of artifact → its number in the reply to a cleanup
    held_field: ReplyField | None = None  #: the name of `count` in the reply to a cancel; None: it is not included

    def remove_chunk(self, job_id: UUID, *, size: int) -> dict[str, Removed]:
        """Delete up to `size` artifacts of the job with what depends on them; empty when none is left.

        Runs inside a transaction that holds the job's lock; must not wait for a network.
        """
        ...

    def adopt_chunk(self, job_id: UUID, *, size: int) -> int:
        """Give up to `size` artifacts of the job to its project; 0 when none is left. As `remove_chunk`."""
        ...

    def work_off(self, job_ids: Sequence[UUID]) -> None:
        """Carry out, outside any transaction, the changes that the removal of rows queued. Raises: Unavailable."""
        return

    def confirmed(self, removal: Mapping[str, Removed]) -> dict[str, Removed]:
        """Return the receipts that are certain only now that `count` is 0. removal: the receipts so far."""
        return {}

    def count(self, job_ids: Sequence[UUID]) -> int:
        """Return how many artifacts of these jobs still exist, as counted by the store itself.

        Raises: Unavailable when the store does not answer.
        """
        ...


_owners: dict[str, ArtifactOwner] = {}


def register(owner: ArtifactOwner) -> None:
    """Register an owner by its name. Raises: ValueError for a second one with that name."""
    if owner.name in _owners and _owners[owner.name] is not owner:
        raise ValueError(f"owner {owner.name!r} is registered twice")
    _owners[owner.name] = owner


def in_delete_order() -> list[ArtifactOwner]:
    """Return all owners in the order in which their artifacts are deleted: highest rank first."""
    return sorted(_owners.values(), key=lambda owner: (-owner.rank, owner.name))


def artifact_names() -> tuple[str, ...]:
    """Return the names of all kinds of artifact, in the order in which they are shown."""
    return tuple(name for owner in in_delete_order() for name in owner.artifacts)


def nothing_removed() -> dict[str, dict[str, int]]:
    """Return a receipt of zeros, with every kind of artifact present."""
    return {name: asdict(Removed()) for name in artifact_names()}


def held(job_id: UUID) -> dict[str, int]:
    """Return what a cleanup of the job would go through, under the owners' names for it in replies."""
    return {owner.held_field.name: owner.count([job_id]) for owner in in_delete_order() if owner.held_field}
