"""The registry of background work that is not a job, such as bringing vectors up to date.

Healing wakes it; commands that work themselves wait for it before they stop.
"""

from typing import Protocol


class Background(Protocol):
    """One kind of background work. A subclass need not care about the process that hosts the workers."""

    name: str

    def wake_if_due(self) -> int:
        """Send a message if work is due that nobody does; return how many were sent."""
        ...

    def is_idle(self) -> bool:
        """Return whether nothing is left to be done."""
        ...

    def host_opened(self) -> None:
        """Take note that this process begins to host the workers of the embedded profile."""
        return

    def host_closed(self) -> None:
        """Take note that it has stopped them in good order; one that died never says so."""
        return


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


def host_opened() -> None:
    """Tell all background work that this process begins to host the workers."""
    for work in _works.values():
        work.host_opened()


def host_closed() -> None:
    """Tell all background work that this process has stopped its workers in good order."""
    for work in _works.values():
        work.host_closed()
