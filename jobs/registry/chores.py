"""The registry of chores: background work that is not a job, such as bringing a replica up to date.

Healing wakes them; commands that host the workers wait for them before they exit.
"""

from typing import Protocol


class Chore(Protocol):
    """One kind of background work. A subclass may ignore which process hosts the workers."""

    name: str

    def wake_if_due(self) -> int:
        """Do what is due, or send a message for it if no process does it yet; return how many messages were sent."""
        ...

    def is_idle(self) -> bool:
        """Return whether nothing is left to do."""
        ...

    def host_opened(self) -> None:
        """Note that this process begins to host the workers of the embedded profile."""
        return

    def host_closed(self) -> None:
        """Note that this process has stopped them cleanly; a crashed process never calls this."""
        return


_chores: dict[str, Chore] = {}


def register(chore: Chore) -> None:
    """Register a chore by its name. Raises: ValueError for a second one with that name."""
    if chore.name in _chores and _chores[chore.name] is not chore:
        raise ValueError(f"chore {chore.name!r} is registered twice")
    _chores[chore.name] = chore


def wake_due() -> int:
    """Wake all chores that are due; return how many messages were sent."""
    return sum(chore.wake_if_due() for chore in _chores.values())


def is_idle() -> bool:
    """Return whether no chore has anything left to do."""
    return all(chore.is_idle() for chore in _chores.values())


def host_opened() -> None:
    """Tell all chores that this process begins to host the workers."""
    for chore in _chores.values():
        chore.host_opened()


def host_closed() -> None:
    """Tell all chores that this process has stopped its workers cleanly."""
    for chore in _chores.values():
        chore.host_closed()
