"""Bench `cleanup`: a large job is cleaned up, rows and points, beside a bare SQL DELETE of as many rows."""

import time
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from config.benches import Measured
from config.benches.cleanup_clock import RowsClock
from config.benches.cleanup_memory import Memory
from config.benches.cleanup_rows import EXTRACTIONS_PER_SOURCE, job_fill, points_fill
from extraction import bindings
from jobs import owners
from jobs.errors import Unavailable
from jobs.finishing import StillThere, removal_finish
from jobs.removal import job_cleanup, receipt_read

TRIES = 10  #: the actor gives up when the store has not confirmed within half a minute, and is sent again

_BARE = (
    "DELETE FROM extraction_extraction WHERE job_id = %s",
    "DELETE FROM crawling_sourcehold WHERE job_id = %s",
    "DELETE FROM crawling_sourcecontent c USING crawling_source s WHERE c.source_id = s.id AND s.job_id = %s",
    "DELETE FROM crawling_source WHERE job_id = %s",
)
_LEFT = """
    SELECT (SELECT count(*) FROM extraction_extraction WHERE job_id = %(job)s)
         + (SELECT count(*) FROM crawling_sourcehold WHERE job_id = %(job)s)
         + (SELECT count(*) FROM crawling_source WHERE job_id = %(job)s)
"""


def run(sources: int = 100_000) -> Measured:
    """Return how long the cleanup took, in all and for its rows alone, and what it left; good if that is nothing.

    A bare DELETE leaves the points alone, so `rows_ratio` compares like with like and `ratio` the whole.
    """
    clock = RowsClock()
    owners.register(clock)
    job_id = job_fill(1, sources=sources)
    filling = time.monotonic()
    points_before = points_fill(job_id)
    filled_seconds = time.monotonic() - filling
    memory = Memory()
    began = time.monotonic()
    receipt = _cleaned(job_id)
    seconds = time.monotonic() - began
    growth_mb = memory.growth_mb()
    points_left, rows_left = bindings.store().count(job_ids=[job_id]), _rows_left(job_id)
    bindings.close()
    bare_seconds = _bare_seconds(sources)
    rows_seconds = clock.rows_gone_at - began
    figures: dict[str, Any] = {
        "sources": sources,
        "extractions": sources * EXTRACTIONS_PER_SOURCE,
        "seconds": round(seconds, 2),
        "rows_seconds": round(rows_seconds, 2),
        "bare_seconds": round(bare_seconds, 2),
        "ratio": round(seconds / bare_seconds, 2),
        "rows_ratio": round(rows_seconds / bare_seconds, 2),
        "rss_growth_mb": round(growth_mb, 1),
        "points_before": points_before,
        "points_left": points_left,
        "rows_left": rows_left,
        "points_filled_s": round(filled_seconds, 1),
        "receipt": receipt,
    }
    return Measured(figures, points_before > 0 == points_left == rows_left)


def _cleaned(job_id: UUID) -> dict[str, dict[str, int]]:
    """Clean the job up as its actor does, sent again where that gives up; return the receipt's numbers."""
    receipt = job_cleanup(job_id=job_id, actor="bench")
    for attempt in range(1, TRIES + 1):
        try:
            removal_finish(job_id)
            break
        except (StillThere, Unavailable):
            if attempt == TRIES:
                raise
    return receipt_read(receipt).removal


def _rows_left(job_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"job": job_id})
        return int(cursor.fetchone()[0])


def _bare_seconds(sources: int) -> float:
    """Return how long four DELETEs in one transaction take for as many rows, with the same triggers and indexes."""
    job_id = job_fill(2, sources=sources)
    began = time.monotonic()
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in _BARE:
            cursor.execute(statement, [job_id])
    seconds = time.monotonic() - began
    if left := _rows_left(job_id):
        raise AssertionError(f"the bare DELETE left {left} rows")
    return seconds
