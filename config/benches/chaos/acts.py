"""What chaos does to running jobs, each act at a moment and to a job that the seed decides."""

import fcntl
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import UUID

from django.db import connection, transaction

from config.benches.chaos.server import Server
from config.benches.chaos.site import ChaosSite
from config.benches.commands import CommandFailed
from extraction.models import Passage
from extraction.vectors.process_store import vectors_folder
from jobs.control.cancel import job_cancel
from jobs.errors import Conflict, NotFound
from jobs.ledger.moves import job_lock
from jobs.models import Job, WorkItem
from jobs.states import FINISHED_JOB, ItemState

LONGEST_GAP_SECONDS = 0.6
POLL_SECONDS = 0.02
SETTLE_WAITS_WITHIN_SECONDS = 5.0
UNDER_WAY_WITHIN_SECONDS = 15.0
STORE_OUTAGE_SECONDS = 1.5
NEIGHBOUR_PAGES = 30
ACTS = ("pause_resume", "cancel", "retry", "cleanup", "delete", "delete_with_cleanup", "pause", "force")


@dataclass
class Chaos:
    """The state of one bench: its site, its server, its dice, and what was done so far.

    neighbours: jobs that may run to their end and stay, so that every round leaves something to be judged.
    dead_changes: vector changes that a killed process held. acts: how often each act was done, or refused (409).
    """

    site: ChaosSite
    server: Server
    dice: random.Random
    project_id: str = ""
    neighbours: set[UUID] = field(default_factory=set)
    dead_changes: set[UUID] = field(default_factory=set)
    acts: Counter[str] = field(default_factory=Counter)
    deck: list[str] = field(default_factory=list)

    def crawl(self, *, limit: int | None = None) -> UUID:
        """Submit a crawl of the site that is extracted from afterwards; return the job's id."""
        body = {"url": self.site.url, "project_id": self.project_id, "max_depth": 10, "auto_extract": True}
        status, reply = self.server.ask("POST", "/crawl", body | ({"limit": limit} if limit else {}))
        if status != 202:
            raise CommandFailed(f"A crawl was refused with {status}: {reply}")
        return UUID(reply["job_id"])

    def next_act(self) -> str:
        """Return the next act of a shuffled deck: within eight acts each comes once."""
        if not self.deck:
            self.deck = self.dice.sample(ACTS, len(ACTS))
        return self.deck.pop()

    def pause_for_a_moment(self) -> None:
        """Let the jobs go on for a while, as long as the dice say."""
        time.sleep(self.dice.uniform(0.05, LONGEST_GAP_SECONDS))


def act_do(chaos: Chaos, name: str) -> None:
    """Do the act to a job the dice pick, and count it under its name, or under `… refused` for a 409.

    With no job that it suits it goes back into the deck.
    """
    job_id = _target(chaos, name)
    if job_id is None:
        chaos.deck.insert(0, name)  # its turn comes again
        return
    is_done = all(_ask(chaos, *call) for call in _CALLS[name](job_id))
    chaos.acts[name if is_done else f"{name} refused"] += 1


_CALLS: dict[str, Callable[[UUID], list[tuple[str, str]]]] = {
    "pause": lambda job: [("POST", f"/jobs/{job}/pause")],
    "pause_resume": lambda job: [("POST", f"/jobs/{job}/pause"), ("POST", f"/jobs/{job}/resume")],
    "cancel": lambda job: [("POST", f"/jobs/{job}/cancel")],
    "force": lambda job: [("POST", f"/jobs/{job}/cancel?force=true")],
    "retry": lambda job: [("POST", f"/jobs/{job}/retry")],
    "cleanup": lambda job: [("POST", f"/jobs/{job}/cleanup")],
    "delete": lambda job: [("DELETE", f"/jobs/{job}?cleanup=false")],
    "delete_with_cleanup": lambda job: [("DELETE", f"/jobs/{job}?cleanup=true")],
}
_ON_FINISHED = frozenset({"retry", "cleanup", "delete"})
_FOR_ANYBODY = frozenset({"pause", "pause_resume", "retry"})


def _target(chaos: Chaos, name: str) -> UUID | None:
    """Return a job that the act suits, any other if there is none; no neighbour if it would end early or be removed."""
    spared = set() if name in _FOR_ANYBODY else chaos.neighbours
    rows = list(Job.objects.order_by("pk").values_list("pk", "parent_id", "status"))
    rows = [row for row in rows if row[0] not in spared and row[1] not in spared]
    suitable = [row for row in rows if (row[2] in FINISHED_JOB) is (name in _ON_FINISHED)]
    return chaos.dice.choice(suitable or rows)[0] if rows else None


def _ask(chaos: Chaos, method: str, path: str) -> bool:
    """Return True for a reply of success, False for a refusal. Raises: CommandFailed for anything else."""
    status, reply = chaos.server.ask(method, path, {} if method == "POST" else None)
    if status >= 400 and status not in (404, 409):
        raise CommandFailed(f"{method} {path} was answered {status}: {reply}")
    return status < 400


def force_while_a_settle_waits(chaos: Chaos, job_id: UUID) -> None:
    """Force a job's end while a worker waits, with its first results in hand, for the lock that this holds.

    What it brings comes too late, and has to be fenced out. The first results, because after later ones a worker
    also waits for the lock to ask for the job's end, looks up, and brings nothing.
    """
    items = WorkItem.objects.filter(job_id=job_id)
    claimed = items.filter(state=ItemState.CLAIMED.value)
    _wait_until(claimed.exists, UNDER_WAY_WITHIN_SECONDS)
    try:
        with transaction.atomic():
            job_lock(job_id)
            is_first = not items.filter(state=ItemState.DONE.value).exists()
            _wait_until(_somebody_waits, SETTLE_WAITS_WITHIN_SECONDS)
            job_cancel(job_id=job_id, force=True, actor="chaos")
        chaos.acts["force_held" if is_first else "force_held late"] += 1
    except (Conflict, NotFound):  # other acts have ended or removed it before
        chaos.acts["force_held refused"] += 1


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _somebody_waits() -> bool:
    """Return True once another connection waits for a lock of this one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


def kill_and_restart(chaos: Chaos, *, store_is_busy: bool) -> None:
    """Kill `up` without warning and start it again, after that with its vector store out of order for a moment.

    The store cannot be stopped alone: it is part of the process. It is out of order while somebody else has its
    folder open, so the new process finds it as if another one were using it.
    """
    chaos.server.end(signal.SIGKILL)
    _note_dead_changes(chaos)
    chaos.acts["kill"] += 1
    if not store_is_busy:
        chaos.server.start()
        return
    with store_held():
        chaos.server.start()
        time.sleep(STORE_OUTAGE_SECONDS)
    chaos.acts["store_outage"] += 1


@contextmanager
def store_held() -> Iterator[None]:
    """Hold the lock of the embedded store's folder, as a process that has it open does."""
    vectors_folder().mkdir(parents=True, exist_ok=True)
    descriptor = os.open(vectors_folder() / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _note_dead_changes(chaos: Chaos) -> None:
    """End the leases of the killed process's vector changes, and note which those were.

    It was the only one that writes, so no late write can come: only the waiting for it is cut short.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE extraction_vectorchange SET lease_until = clock_timestamp() WHERE lease IS NOT NULL"
            " RETURNING point_id"
        )
        chaos.dead_changes |= {row[0] for row in cursor.fetchall()}


def late_writes_expire(chaos: Chaos) -> None:
    """End the time for which the outbox waits for late writes of killed processes, which never come."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE extraction_vectorchange SET late_write_until = LEAST(late_write_until, clock_timestamp()),"
            " not_before = LEAST(not_before, clock_timestamp())"
            " WHERE point_id = ANY(%s) AND late_write_until > clock_timestamp()",
            [list(chaos.dead_changes)],
        )


def passages_delete_by_hand(chaos: Chaos) -> int:
    """Delete the passages of one source by plain SQL, bypassing the product; return how many."""
    source_ids = list(Passage.objects.order_by("source_id").values_list("source_id", flat=True).distinct())
    if not source_ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM extraction_passage WHERE source_id = %s", [chaos.dice.choice(source_ids)])
        return int(cursor.rowcount)
