"""Jobs with items, a probe kind whose work the test controls, and how things stand in the ledger."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from jobs.ledger.claims import items_claim
from jobs.ledger.counts import items_count
from jobs.ledger.items import items_add
from jobs.models import Job, Lane, Project, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, NewItem, Outcome
from jobs.states import FINISHED_JOB, ItemState, JobStatus

LANE = "probe:1"
PATIENCE_SECONDS = float(os.environ.get("TEST_PATIENCE_SECONDS", "20"))  # how long a test waits at most


class Gate:
    """Opened by the test's thread, awaited by work on the event loop of a slice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_open = False
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def passed(self) -> None:
        """Return once the gate is open."""
        with self._lock:
            if self._is_open:
                return
            event = asyncio.Event()
            self._waiters.append((asyncio.get_running_loop(), event))
        await event.wait()

    def open(self) -> None:
        """Let everyone through, now and later."""
        with self._lock:
            self._is_open = True
            waiters, self._waiters = self._waiters, []
        for loop, event in waiters:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


async def finish_at_once(job: JobRef, claim: Claim) -> Outcome:
    """Return a done outcome: what the probe does unless the test says otherwise."""
    return kinds.done(claim)


def held_at(gate: Gate, *, but: Callable[[Claim], bool] = lambda claim: False) -> Callable[..., Any]:
    """Return work that waits at the gate, except for the claims `but` picks, which finish at once."""

    async def work(job: JobRef, claim: Claim) -> Outcome:
        if not but(claim):
            await gate.passed()
        return kinds.done(claim)

    return work


@dataclass
class Probe:
    """A job kind under the test's control; its worker is itself."""

    name: str = "probe"
    family: str = "probe"
    items_name: str = "items"
    uncounted_outcomes: frozenset[str] = frozenset({"redirected"})
    result_names: tuple[str, ...] = ()
    in_hand: int = 16
    item_deadline_seconds: float = 60.0
    do: Callable[[JobRef, Claim], Awaitable[Outcome]] = finish_at_once
    on_populate: Callable[[JobRef], None] = lambda job: None
    on_settle: Callable[[JobRef, list[Outcome]], list[Outcome]] = lambda job, outcomes: outcomes
    on_complete: Callable[[JobRef], dict[str, Any]] = lambda job: {}
    started: list[str] = field(default_factory=list)
    completed: list[JobRef] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def populate(self, job: JobRef) -> None:
        """Add the items that the payload names."""
        items_add(job.id, [NewItem(key, LANE) for key in job.payload.get("keys", [])])
        self.on_populate(job)

    @asynccontextmanager
    async def open_worker(self, lane: str, database: Any) -> AsyncIterator["Probe"]:
        """Yield the probe itself."""
        yield self

    async def begin(self, job: JobRef, claims: Sequence[Claim]) -> None:
        """Need no preparation."""

    def on_settled(self, outcomes: Sequence[Outcome]) -> None:
        """Need not know."""

    async def work(self, job: JobRef, claim: Claim) -> Outcome:
        """Say that the item was begun, then do what the test wants."""
        with self._changed:
            self.started.append(claim.key)
            self._changed.notify_all()
        return await self.do(job, claim)

    def wait_started(self, number: int) -> None:
        """Return once `number` items were begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.started) >= number, PATIENCE_SECONDS), self.started

    def settle(self, job: JobRef, outcomes: list[Outcome]) -> list[Outcome]:
        """Write nothing of its own unless the test wants it."""
        return self.on_settle(job, outcomes)

    def complete(self, job: JobRef) -> dict[str, Any]:
        """Remember the end, then do what the test wants."""
        self.completed.append(job)
        return self.on_complete(job)


def job_made(
    project: Project,
    items: int | Iterable[str] = 0,
    *,
    status: JobStatus = JobStatus.RUNNING,
    lane: str = LANE,
    **fields: Any,
) -> Job:
    """Return a new job of the probe kind, by default running, with pending items: so many, or with these keys."""
    keys = [f"item-{number}" for number in range(items)] if isinstance(items, int) else list(items)
    with transaction.atomic():
        job = Job.objects.create(project=project, kind="probe", **fields)
        items_add(job.pk, [NewItem(key, lane) for key in keys])
        Job.objects.filter(pk=job.pk).update(**status_fields(status))
    job.refresh_from_db()
    return job


def status_fields(status: JobStatus) -> dict[str, Any]:
    """Return the columns of a job that stands at `status`, as the constraints want them."""
    fields: dict[str, Any] = {"status": status.value}
    if status is not JobStatus.QUEUED:
        fields["started_at"] = timezone.now()
    if status is JobStatus.CANCELLING:
        fields["cancel_requested_at"] = timezone.now()
    if status in FINISHED_JOB:
        fields |= {"completed_at": timezone.now(), "result": {}}
    return fields


def lane_id(key: str = LANE) -> int:
    """Return the id of the lane called `key`."""
    return int(Lane.objects.get(key=key).pk)


def claimed(limit: int = 100, *, lane: str = LANE, lease_seconds: float = 60.0) -> list[Claim]:
    """Claim from the lane and return the claims, of one job."""
    return items_claim(lane_id(lane), limit, lease_seconds=lease_seconds)


def states(job: Job) -> dict[str, int]:
    """Return how many items of the job are in each state."""
    return items_count(job.pk).states


def item(job: Job, key: str = "item-0") -> WorkItem:
    """Return one item as it now stands."""
    return WorkItem.objects.get(job=job, key=key)


def leases_run_out(job: Job) -> int:
    """Let the leases of the job's claims have expired a second ago; return how many."""
    past = timezone.now() - timedelta(seconds=1)
    return WorkItem.objects.filter(job=job, state=ItemState.CLAIMED.value).update(lease_until=past)


def status_of(job: Job) -> str:
    """Return the job's status as it now stands."""
    return str(Job.objects.values_list("status", flat=True).get(pk=job.pk))


def lane_is_free(key: str = LANE) -> bool:
    """True if nobody serves the lane."""
    return Lane.objects.filter(key=key, lease=None, lease_until=None).exists()
