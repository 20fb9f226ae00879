"""The registry of chores: background work that is not a job, such as bringing a replica up to date.

Healing wakes them; commands that work themselves wait for them before they stop.
"""

from typing import Protocol


class Chore(Protocol):
    """One kind of background work. A subclass need not care about the process that hosts the workers."""

    name: str

    def wake_if_due(self) -> int:
        """Do what is due, or send a message for it if nobody does it; return how many messages were sent."""
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


_chores: dict[str, Chore] = {}


def register(chore: Chore) -> None:
    """Make a chore known under its name; a second registration of the name is refused."""
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
    """Tell all chores that this process has stopped its workers in good order."""
    for chore in _chores.values():
        chore.host_closed()
