"""How the cost of work grows with its input: a ratio, so that neither the machine nor its load matters."""

import time
from collections.abc import Callable

TIMES_LONGER = 4
#: Linear work costs 4 times as much for 4 times the input, quadratic work 16 times.
LINEAR_AT_MOST = 10.0


def growth(work: Callable[[str], object], text: str) -> float:
    """Return how many times the processor time of a quarter of `text` the whole of it takes; best of three each."""
    return _cpu_seconds(work, text) / _cpu_seconds(work, text[: len(text) // TIMES_LONGER])


def _cpu_seconds(work: Callable[[str], object], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        work(text)
        best = min(best, time.process_time() - began)
    return best
