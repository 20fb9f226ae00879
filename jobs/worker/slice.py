"""One slice: claims items of a lane, works on many at once, settles them, and accounts for every claim.

All of it runs on one event loop; only `DatabaseThread` talks to PostgreSQL. Whatever ends a slice (nothing
left, time up, a stop, an error), finished results are settled and the other claims are released.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError

from jobs.control import end
from jobs.errors import QuarryError
from jobs.ledger import lanes, settle
from jobs.ledger.claims import items_claim, items_extend, items_release
from jobs.ledger.moves import job_ref, job_start, job_status
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, Outcome, Worker
from jobs.states import JobStatus, Reason
from jobs.worker.database_thread import DatabaseThread

log = logging.getLogger(__name__)

SLICE_SECONDS = 60.0
CHECK_SECONDS = 0.25  # how often cancels are looked for
HEARTBEAT_SECONDS = 8.0
HUNG_SECONDS = 5.0  # how long an aborted item may take to notice
SETTLE_BATCH = 64
SETTLE_AFTER_SECONDS = 0.25
DATABASE_PATIENCE_SECONDS = 20.0
NEAR_SECONDS = 5.0  # work due this soon is waited for


@dataclass(slots=True)
class Held:
    """A claim that this slice holds, and the task that works on it."""

    claim: Claim
    task: asyncio.Task[Outcome]
    since: float
    aborted_at: float | None = None


@dataclass(slots=True)
class Slice:
    """The state of one slice. `run()` once; `stop()` from the loop's thread ends it early."""

    lane_id: int
    lane_key: str
    lease: UUID
    database: DatabaseThread
    seconds: float = SLICE_SECONDS
    held: dict[int, Held] = field(default_factory=dict)
    finished: list[Outcome] = field(default_factory=list)
    finished_since: float = 0.0
    jobs: dict[UUID, JobRef] = field(default_factory=dict)
    stopping: bool = False
    alone: bool = False  #: the one claim held is an item that lost a lease before; no other may be held
    began: float = field(default_factory=time.monotonic)
    next_check: float = 0.0
    next_heartbeat: float = 0.0
    next_claim: float = 0.0
    settled_items: int = 0
    worker: Worker | None = None

    def stop(self) -> None:
        """End the slice as soon as possible."""
        self.stopping = True

    async def run(self) -> int:
        """Serve the lane until it is empty or the time is up; return how many items were settled."""
        family = self.lane_key.partition(":")[0]
        self.next_heartbeat = time.monotonic() + HEARTBEAT_SECONDS
        async with kinds.of_family(family).open_worker(self.lane_key, self.database) as worker:
            self.worker = worker
            try:
                while not self.stopping and await self._turn(worker):
                    pass
            finally:
                await self._close()
        return self.settled_items

    async def _turn(self, worker: Worker) -> bool:
        """Do one round: claim, wait, collect, settle, check. False when the slice is over."""
        await self._feed(worker)
        await self._check(worker)  # also while it only waits: the lane must stay ours
        if not self.held and not self.finished:
            return await self._wait_for_near_work()
        if self.held:
            await asyncio.wait(
                [held.task for held in self.held.values()],
                timeout=min(CHECK_SECONDS, max(0.01, self.next_check - time.monotonic())),
                return_when=asyncio.FIRST_COMPLETED,
            )
        self._collect()
        if self._settle_is_due():
            await self._settle()
        return True

    # Claiming

    async def _feed(self, worker: Worker) -> None:
        free = worker.in_hand - len(self.held) - len(self.finished)
        now = time.monotonic()
        time_is_up = now - self.began > self.seconds
        if self.stopping or self.alone or time_is_up or now < self.next_claim or free * 4 < worker.in_hand:
            return
        if queued := await self.database(lanes.lane_queued_jobs, self.lane_id):
            await self.database(job_start, queued)
        claims = await self.database(items_claim, self.lane_id, free)
        if not claims and not self.held and not self.finished:
            claims = await self.database(items_claim, self.lane_id, 1, lost=True)
            self.alone = bool(claims)
        self.next_claim = now if claims else now + CHECK_SECONDS
        await self._begin(worker, claims)

    async def _begin(self, worker: Worker, claims: list[Claim]) -> None:
        if not claims:
            return
        job_id = claims[0].job_id
        try:
            if job_id not in self.jobs:
                self.jobs[job_id] = await self._patiently(job_ref, job_id)
            await worker.begin(self.jobs[job_id], claims)
            # A cancel or pause may have committed between choosing the job and claiming: nothing begins unseen.
            status = await self._patiently(job_status, job_id)
        except Exception:
            await self._patiently(items_release, claims)
            raise
        if status == JobStatus.PAUSED:
            self.alone = False
            await self._patiently(items_release, claims)
            await self._end_all({job_id})
            return
        for claim in claims:
            task = asyncio.create_task(self._work(worker, claim))
            self.held[claim.id] = Held(claim, task, time.monotonic())
        if status != JobStatus.RUNNING:
            self._abort({job_id})

    def _forget(self, item_id: int) -> None:
        held = self.held.pop(item_id, None)
        if held is not None:
            held.task.cancel()
        self.alone = self.alone and bool(self.held or self.finished)

    async def _work(self, worker: Worker, claim: Claim) -> Outcome:
        try:
            async with asyncio.timeout(worker.item_deadline_seconds):
                return await worker.work(self.jobs[claim.job_id], claim)
        except TimeoutError:
            detail = f"Gave up after {worker.item_deadline_seconds:.0f} s, the most that one item may take."
            return kinds.retryable(claim, Reason.TIMEOUT, detail=detail)
        except Exception as error:
            if isinstance(error, QuarryError) and error.is_temporary:  # a service's trouble, not the item's
                return kinds.retryable(claim, Reason.INTERNAL, detail=error.detail)
            log.exception("item_crashed", extra={"item": claim.id, "key": claim.key})
            return kinds.failed(claim, Reason.INTERNAL, detail=f"Unexpected {type(error).__name__}: {error}")

    async def _wait_for_near_work(self) -> bool:
        """Wait briefly if work is due soon; False if the slice should end."""
        if time.monotonic() - self.began > self.seconds:
            return False
        due = await self.database(lanes.lane_due_in_seconds, self.lane_id)
        if due is None or due > NEAR_SECONDS:
            return False
        # At least a short pause: an item at its job's page limit looks due but is never claimed.
        await asyncio.sleep(min(due, CHECK_SECONDS) if due > 0 else CHECK_SECONDS)
        self.next_claim = 0.0
        return not (due <= 0 and await self._only_unclaimable())

    async def _only_unclaimable(self) -> bool:
        """True if what is due cannot be claimed: it lay beyond a page limit, and its job has now ended."""
        await self._end_all(await self.database(lanes.lane_running_jobs, self.lane_id))
        return await self.database(lanes.lane_due_in_seconds, self.lane_id) is None

    # Settling

    def _collect(self) -> None:
        """Move finished tasks from `held` to `finished`."""
        for held in [held for held in self.held.values() if held.task.done()]:
            del self.held[held.claim.id]
            if not self.finished:
                self.finished_since = time.monotonic()
            if not held.task.cancelled():
                self.finished.append(held.task.result())
            elif held.aborted_at is not None:
                self.finished.append(kinds.skipped(held.claim, Reason.CANCELLED))
            else:  # this slice did not stop it: some library did
                self.finished.append(kinds.retryable(held.claim, Reason.INTERNAL, detail="The work stopped by itself."))

    def _settle_is_due(self) -> bool:
        waited = time.monotonic() - self.finished_since
        return bool(self.finished) and (
            not self.held or len(self.finished) >= SETTLE_BATCH or waited >= SETTLE_AFTER_SECONDS
        )

    async def _settle(self) -> None:
        by_job: dict[UUID, list[Outcome]] = {}
        for outcome in self.finished:
            by_job.setdefault(outcome.claim.job_id, []).append(outcome)
        for job_id, outcomes in by_job.items():
            done = await self._patiently(settle.outcomes_settle, job_id, outcomes)
            self.settled_items += done.written
            if self.worker is not None:
                unwritten = {*done.lost, *done.refused}  # what these found is not in the ledger
                self.worker.on_settled([outcome for outcome in outcomes if outcome.claim.id not in unwritten])
            written = {outcome.claim.id for outcome in outcomes}
            self.finished = [outcome for outcome in self.finished if outcome.claim.id not in written]
            await self._patiently(end.job_end_if_done, job_id)
        self.alone = False
        self.next_claim = 0.0  # settling may have added items

    async def _patiently(self, work: Callable[..., Any], *args: Any) -> Any:
        """Return `work(*args)` from the database thread, tried again while PostgreSQL is away for a moment.

        Safe to repeat: what it writes is fenced by leases.
        """
        give_up = time.monotonic() + DATABASE_PATIENCE_SECONDS
        while True:
            try:
                return await self.database(work, *args)
            except (OperationalError, InterfaceError):
                if time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.5)

    # Watching

    async def _check(self, worker: Worker) -> None:
        """Look for cancels and a paused lane every 0.25 s, and prolong the leases every few seconds."""
        now = time.monotonic()
        if now < self.next_check:
            return
        self.next_check = now + CHECK_SECONDS
        job_ids = list({held.claim.job_id for held in self.held.values()})
        if job_ids:
            self._abort(set(await self._patiently(lanes.jobs_stopping, job_ids)))
        if not await self._patiently(lanes.lane_is_ours, self.lane_id, self.lease):
            self.stopping = True  # what is in hand is given back
        if now >= self.next_heartbeat:
            self.next_heartbeat = now + HEARTBEAT_SECONDS
            await self._heartbeat(worker)

    def _abort(self, job_ids: set[UUID]) -> None:
        for held in self.held.values():
            if held.claim.job_id in job_ids and held.aborted_at is None:
                held.aborted_at = time.monotonic()
                held.task.cancel()

    async def _heartbeat(self, worker: Worker) -> None:
        if not await self._patiently(lanes.lane_extend, self.lane_id, self.lease):
            self.stopping = True
        for item_id in [key for key, held in self.held.items() if _is_hung(held, worker.item_deadline_seconds)]:
            self._forget(item_id)  # its lease runs out; the lane must not wait for it
        claims = [held.claim for held in self.held.values()] + [outcome.claim for outcome in self.finished]
        if claims:
            kept = await self._patiently(items_extend, claims)
            for claim in claims:
                if claim.id not in kept:
                    self._forget(claim.id)

    async def _close(self) -> None:
        """Account for every claim: settle what finished, give back what did not, leave what hangs to expire."""
        aborted = {held.claim.id for held in self.held.values() if held.aborted_at is not None}
        for held in self.held.values():
            held.task.cancel()
        if self.held:
            await asyncio.wait([held.task for held in self.held.values()], timeout=HUNG_SECONDS)
        unfinished = [
            held.claim
            for held in self.held.values()
            if held.task.done() and held.task.cancelled() and held.claim.id not in aborted
        ]
        for claim in unfinished:
            del self.held[claim.id]
        self._collect()
        try:
            await self._settle()
        finally:
            await self._patiently(items_release, unfinished)
            await self._end_all({claim.job_id for claim in unfinished})

    async def _end_all(self, job_ids: Iterable[UUID]) -> None:
        for job_id in job_ids:
            await self._patiently(end.job_end_if_done, job_id)


def _is_hung(held: Held, deadline_seconds: float) -> bool:
    """True when it deserves no heartbeat: well past its deadline, or deaf to an abort."""
    now = time.monotonic()
    if held.aborted_at is not None and now - held.aborted_at > HUNG_SECONDS:
        return True
    return now - held.since > deadline_seconds + HUNG_SECONDS
