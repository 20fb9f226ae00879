"""Bench `cleanup`: a large job is cleaned up, rows and points, beside a bare SQL DELETE of as many rows."""

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from config.benches import Measured
from config.benches.cleanup.memory import Memory
from config.benches.cleanup.rows import EXTRACTIONS_PER_SOURCE, job_fill, points_fill
from config.benches.commands import CommandFailed
from extraction.vectors import process_store
from jobs.control.removal import job_cleanup
from jobs.models import Job
from jobs.worker.host import WorkerHost

GIVE_UP_SECONDS = 900.0
POLL_SECONDS = 0.25
PROMISED_RATIO = 2.0
PROMISED_GROWTH_MB = 50.0

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
    """Return how long a worker process took to clean the job up, rows and points, and what it left.

    A bare DELETE leaves the points alone; the ratio holds that against us. Memory is the worker's: this process
    wrote the points before, as a worker would have.
    """
    job_id = job_fill(1, sources=sources)
    points_before = points_fill(job_id)
    with WorkerHost():
        memory = Memory()
        receipt = _cleaned(job_id)
        growth_mb = memory.growth_mb()
    points_left, rows_left = process_store.store().count(job_ids=[job_id]), _rows_left(job_id)
    process_store.close()
    seconds, bare_seconds = _seconds(job_id), _bare_seconds(sources)
    figures: dict[str, Any] = {
        "sources": sources,
        "extractions": sources * EXTRACTIONS_PER_SOURCE,
        "seconds": round(seconds, 2),
        "bare_seconds": round(bare_seconds, 2),
        "ratio": round(seconds / bare_seconds, 2),
        "rss_growth_mb": round(growth_mb, 1),
        "points_before": points_before,
        "points_left": points_left,
        "rows_left": rows_left,
        "receipt": receipt,
    }
    is_good = points_before > 0 == points_left == rows_left
    is_good &= seconds <= PROMISED_RATIO * bare_seconds and growth_mb <= PROMISED_GROWTH_MB
    return Measured(figures, is_good)


def _cleaned(job_id: UUID) -> dict[str, Any]:
    """Have the job cleaned up by the workers; return the receipt once it is. Raises: CommandFailed."""
    give_up = time.monotonic() + GIVE_UP_SECONDS
    job_cleanup(job_id=job_id, actor="bench")
    while Job.objects.filter(pk=job_id, cleaned_at__isnull=True).exists():
        if time.monotonic() > give_up:
            raise CommandFailed(f"The job was not cleaned up within {GIVE_UP_SECONDS:.0f} s.")
        time.sleep(POLL_SECONDS)
    receipt: dict[str, Any] = Job.objects.values_list("removal", flat=True).get(pk=job_id)
    return receipt


def _seconds(job_id: UUID) -> float:
    """Return the seconds from the request to its end, both by the database's clock."""
    times = Job.objects.filter(pk=job_id).annotate(took=F("cleaned_at") - F("cleanup_requested_at"))
    took: timedelta = times.values_list("took", flat=True).get()
    return took.total_seconds()


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
