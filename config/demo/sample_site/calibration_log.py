"""The rows of the site's large page: a bench log that is the same in every run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import NamedTuple

ROW_COUNT = 8_640
FIRST_COMPARISON = datetime(2023, 1, 9, 8, 30, tzinfo=UTC)
COMPARISONS_PER_DAY = 16
MINUTES_BETWEEN = 30


class Bench(NamedTuple):
    """One kind of comparison: what is measured, against which references, and how far off is too far."""

    model: str
    quantity: str
    references: tuple[float, ...]
    limit: float
    decimals: int


BENCHES = (
    Bench("AQ20", "pH", (4.01, 7.00, 10.01), 0.02, 3),
    Bench("TL3", "temperature, °C", (0.0, 10.0, 20.0, 30.0, 40.0), 0.20, 2),
    Bench("BG5", "pressure, hPa", (900.0, 950.0, 1000.0, 1050.0), 0.50, 2),
)


def numbers(seed: int) -> Iterator[int]:
    """Yield an endless fixed sequence of integers from 0 to 65,535.

    Source: the linear congruential generator of Numerical Recipes (multiplier 1664525, increment 1013904223,
    modulus 2**32), upper half of the state. Written out so that no Python release can change the page.
    """
    state = seed
    while True:
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        yield state >> 16


@cache
def table_rows() -> str:
    """Return all rows of the log as HTML, about 1.5 MB."""
    source = numbers(seed=1987)
    return "\n".join(_row(index, source) for index in range(ROW_COUNT))


def _row(index: int, source: Iterator[int]) -> str:
    bench = BENCHES[next(source) % len(BENCHES)]
    reference = bench.references[next(source) % len(bench.references)]
    # Four uniform numbers add up to a bell: about one comparison in thirty lands outside the limit.
    bell = sum(next(source) for _ in range(4)) / 65_535 - 2
    reading = round(reference + bell * bench.limit * 0.82, bench.decimals)
    deviation = round(reading - reference, bench.decimals)
    verdict = "pass" if abs(deviation) <= bench.limit else "fail"
    cells = (
        f"{_moment(index):%Y-%m-%d %H:%M}",
        f"FH-C-{index + 1:05d}",
        f"{bench.model}-{20_000 + next(source) % 4_000}",
        bench.quantity,
        f"{reference:.{bench.decimals}f}",
        f"{reading:.{bench.decimals}f}",
        f"{deviation:+.{bench.decimals}f}",
        f"{bench.limit:.2f}",
        verdict,
    )
    return f'<tr class="{verdict}"><td>' + "</td><td>".join(cells) + "</td></tr>"


def _moment(index: int) -> datetime:
    """Return when comparison `index` was made: sixteen half hours on each working day."""
    day, slot = divmod(index, COMPARISONS_PER_DAY)
    weeks, weekday = divmod(day, 5)
    return FIRST_COMPARISON + timedelta(days=weeks * 7 + weekday, minutes=slot * MINUTES_BETWEEN)
