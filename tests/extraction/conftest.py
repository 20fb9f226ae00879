"""What the tests of `extraction` share: rows with vectors, and a second side of a race."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.helpers.knowledge import drained, embedder, knowledge, store
from tests.helpers.threads import Side

__all__ = ["drained", "embedder", "in_thread", "knowledge", "store"]


@pytest.fixture
def in_thread() -> Iterator[Callable[..., Side]]:
    """Return a function that starts work on a thread with a database connection of its own."""
    sides: list[Side] = []

    def start(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Side:
        sides.append(Side(work, *args, **kwargs))
        return sides[-1]

    yield start
    for side in sides:
        side.join()
