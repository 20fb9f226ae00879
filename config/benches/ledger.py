"""Bench `ledger`: items claimed and settled per second by one process, beside the bare SQL it stands on."""

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from statistics import median
from typing import Any
from uuid import UUID, uuid4

import psycopg
from django.db import connection

from config.benches import Measured
from jobs.control.end import job_end_if_done
from jobs.control.projects import DEFAULT_PROJECT, project_named
from jobs.control.submit import job_submit
from jobs.ledger import settle
from jobs.ledger.claims import items_claim
from jobs.ledger.counts import items_count
from jobs.ledger.items import items_add, lanes_ensure
from jobs.ledger.moves import job_start
from jobs.registry import kinds
from jobs.registry.kinds import JobKey, JobRef, Kind, NewItem, Outcome, Worker

ITEMS = 100_000
BATCH = 100
ROUNDS = 3  # the two in turn, so that a machine that slows down slows both
LANE = "bench:1"
PROMISED_PER_SECOND = 10_000


class Bench(Kind):
    """A kind with nothing to do and nothing to store."""

    name = "bench"
    family = "bench"

    def populate(self, job: JobRef) -> None:
        """Add the items."""
        items_add(job.id, [NewItem(f"item-{number}", LANE) for number in range(ITEMS)])

    def open_worker(self, lane: str, database: Any) -> AbstractAsyncContextManager[Worker]:
        """Refuse: the bench claims and settles itself."""
        raise AssertionError("no slice serves the bench's lane")

    def settle(self, job: JobKey, outcomes: list[Outcome]) -> list[Outcome]:
        """Write nothing of its own."""
        return outcomes

    def complete(self, job: JobRef) -> dict[str, Any]:
        """Return no facts."""
        return {}

    def chain(self, parent: JobRef) -> None:
        """Chain no job."""


def run() -> Measured:
    """Return items per second through the ledger and in bare SQL, the median of each, and the ratio of the two."""
    kinds.register(Bench())
    rounds = [(_items_per_second(_bare), _items_per_second(_ledger)) for _ in range(ROUNDS)]
    bare, ours = (median(column) for column in zip(*rounds, strict=True))
    figures = {
        "items": ITEMS,
        "batch": BATCH,
        "rounds": ROUNDS,
        "items_per_s": round(ours),
        "bare_items_per_s": round(bare),
        "ratio": round(ours / bare, 2),
    }
    return Measured(figures, ours >= PROMISED_PER_SECOND)


def _items_per_second(work: Callable[[UUID, int], int]) -> float:
    """Return the pace of `work`, which claims and settles all items of a fresh job."""
    job_id = job_submit(kind=Bench.name, project_id=project_named(DEFAULT_PROJECT), payload={})
    job_start([job_id])
    lane_id = lanes_ensure([LANE])[LANE]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE jobs_workitem")
    began = time.perf_counter()
    settled = work(job_id, lane_id)
    seconds = time.perf_counter() - began
    done = items_count(job_id).states.get("done", 0)
    if not settled == done == ITEMS:
        raise AssertionError(f"{settled} settled and {done} done of {ITEMS} items")
    job_end_if_done(job_id)  # so that the next job is alone in the lane
    return ITEMS / seconds


def _ledger(job_id: UUID, lane_id: int) -> int:
    settled = 0
    while claims := items_claim(lane_id, BATCH):
        settled += settle.outcomes_settle(job_id, [kinds.done(claim) for claim in claims]).written
    return settled


_CLAIM = """
    WITH picked AS (
        SELECT id FROM jobs_workitem WHERE lane_id = %s AND job_id = %s AND state = 'pending'
        ORDER BY rank, id LIMIT %s FOR UPDATE SKIP LOCKED)
    UPDATE jobs_workitem w
    SET state = 'claimed', lease = %s, lease_until = clock_timestamp() + interval '30 seconds'
    FROM picked WHERE w.id = picked.id RETURNING w.id
"""
_SETTLE = """
    UPDATE jobs_workitem SET state = 'done', outcome = '', result = '{}', lease = NULL, lease_until = NULL,
                             finished_at = clock_timestamp()
    WHERE id = ANY(%s) AND state = 'claimed' AND lease = %s
"""


def _bare(job_id: UUID, lane_id: int) -> int:
    """Claim and settle with two statements per batch, each a transaction of its own, on a bare connection."""
    parameters = connection.get_connection_params()
    wanted = {name: parameters[name] for name in ("host", "port", "dbname", "user", "password") if parameters.get(name)}
    settled = 0
    with psycopg.connect(**wanted, autocommit=True) as bare, bare.cursor() as cursor:
        while True:
            lease = uuid4()
            cursor.execute(_CLAIM, [lane_id, job_id, BATCH, lease])
            ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                return settled
            cursor.execute(_SETTLE, [ids, lease])
            settled += cursor.rowcount
