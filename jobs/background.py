"""The registry of background work that is not a job, such as bringing vectors up to date.

Healing wakes it; commands that work themselves wait for it before they stop.
"""

from typing import Protocol


class Background(Protocol):
    """One kind of background work."""

    name: str

    def wake_if_due(self) -> int:
        """Send a message if work is due that nobody does; return how many were sent."""
        ...

    def is_idle(self) -> bool:
        """Return whether nothing is left to be done."""
        ...


_works: dict[str, Background] = {}


def register(work: Background) -> None:
    """Make background work known under its name; a second registration of the name is refused."""
    if work.name in _works and _works[work.name] is not work:
        raise ValueError(f"background work {work.name!r} is registered twice")
    _works[work.name] = work


def wake_due() -> int:
    """Wake all background work that is due; return how many messages were sent."""
    return sum(work.wake_if_due() for work in _works.values())


def is_idle() -> bool:
    """Return whether no background work is left."""
    return all(work.is_idle() for work in _works.values())
