"""What applications above make from sources: they register it here, and it is called in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PageText:
    """What a dependant may read of a page when it prepares: no row, no connection."""

    url: str
    title: str
    text: str
    language: str


class Dependant(Protocol):
    """One thing made from sources, such as searchable passages."""

    name: str

    def prepare(self, page: PageText) -> Any:
        """Return what `store` will need, computed outside any transaction."""
        ...

    def store(self, *, project_id: UUID, job_id: UUID, prepared: Mapping[UUID, Any]) -> None:
        """Replace what was made from these sources, whose content is new or changed. The sources are locked."""
        ...

    def remove(self, source_ids: Sequence[UUID], *, job_id: UUID | None = None) -> dict[str, int]:
        """Delete what was made from these locked sources; return the numbers by name.

        job_id: the job whose cleanup this is; what is queued meanwhile must be found under that job.
        """
        ...

    def hand_over(self, source_ids: Sequence[UUID], *, from_job_ids: Sequence[UUID], to_job_id: UUID | None) -> None:
        """Give what these jobs made of sources that stay to another job, or to the project alone (None)."""
        ...


_dependants: dict[str, Dependant] = {}


def register(dependant: Dependant) -> None:
    """Make a dependant known under its name; a second registration of the name is refused."""
    if dependant.name in _dependants and _dependants[dependant.name] is not dependant:
        raise ValueError(f"dependant {dependant.name!r} is registered twice")
    _dependants[dependant.name] = dependant


def all_of_them() -> list[Dependant]:
    """Return the dependants, sorted by name."""
    return [_dependants[name] for name in sorted(_dependants)]
