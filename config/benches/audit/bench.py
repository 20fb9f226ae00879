"""Bench `audit`: rows and points compared by the real command, with faults planted.

Does it find them, and does its memory stay where it was at a tenth of the size?
"""

from dataclasses import dataclass
from typing import Any

from config.benches import Measured
from config.benches.audit.rows import GONE_POINTS, STRANGERS, faults_plant, points_fill, rows_fill
from config.benches.commands import command_run, python_run
from config.benches.process_memory import MemoryWatch
from extraction.vectors import process_store
from jobs.errors import Invalid

PLANTED = {"rows_without_points": GONE_POINTS, "points_without_rows": STRANGERS}
NONE = dict.fromkeys(PLANTED, 0)
FEWEST_POINTS = 1_000
PROMISED_OWN_GROWTH_MB = 50.0
_OPEN = f"import django; django.setup(); from {process_store.__name__} import store; store()"


@dataclass(frozen=True, slots=True)
class Size:
    """An audit of one size. own_mb: anonymous memory beyond that of a process that only opens the store."""

    seconds: float
    peak_rss_mb: float
    anonymous_mb: float
    own_mb: float
    reply: dict[str, Any]

    @property
    def figures(self) -> dict[str, Any]:
        """What the bench prints of it."""
        memory = {"peak_rss_mb": self.peak_rss_mb, "anonymous_mb": self.anonymous_mb, "own_mb": self.own_mb}
        rounded = {name: round(value) for name, value in memory.items()}
        return {"rows": self.reply["rows"], "points": self.reply["points"], "seconds": self.seconds, **rounded}


def run(points: int = 100_000) -> Measured:
    """Return what the audit of so many points cost and found, and after its repair; good if that is what was planted.

    Half of the rows are passages, half extractions. The embedded store's memory is counted apart: most of it is files
    that the kernel has mapped, and its own indexes, which every process that opens it has.
    Raises: Invalid.
    """
    if points < FEWEST_POINTS:
        raise Invalid(f"--points is {points}; give it {FEWEST_POINTS} or more.", code="too_few_points")
    half, tenth = points // 2, points // 20
    _filled(1, tenth)
    small = _audited()
    _filled(tenth + 1, half)
    faults_plant(half)
    process_store.close()
    full = _audited()
    fixed = command_run(["audit", "--fix"])
    again = command_run(["audit"])
    found = {name: full.reply[name] for name in PLANTED}
    left = {name: again.reply[name] for name in PLANTED}
    was_clean = {name: small.reply[name] for name in PLANTED} == NONE
    own_growth_mb = full.own_mb - small.own_mb
    figures: dict[str, Any] = {
        **full.figures,
        "a_tenth": small.figures,
        "growth_rss_mb": round(full.peak_rss_mb - small.peak_rss_mb),
        "growth_own_mb": round(own_growth_mb, 1),
        "planted": PLANTED,
        "found": found,
        "found_is_planted": found == PLANTED,
        "fixed": fixed.reply["fixed"],
        "fix_seconds": round(fixed.seconds, 1),
        "after_fix": left,
    }
    is_right = was_clean and found == PLANTED and left == NONE and full.reply["rows"] == 2 * half
    return Measured(figures, is_right and own_growth_mb <= PROMISED_OWN_GROWTH_MB)


def _filled(first: int, last: int) -> None:
    rows_fill(first, last)
    points_fill(first, last)
    process_store.close()  # one process at a time may have it open


def _audited() -> Size:
    opening, auditing = MemoryWatch(), MemoryWatch()
    python_run(_OPEN, watch=opening)
    ran = command_run(["audit"], watch=auditing, accepted=(0, 1))
    own_mb = auditing.peak_anonymous_mb - opening.peak_anonymous_mb
    return Size(round(ran.seconds, 1), auditing.peak_rss_mb, auditing.peak_anonymous_mb, own_mb, ran.reply)
