"""Hosting workers in this process: in the embedded profile one process works, whichever command started it.

An advisory lock of PostgreSQL says which one; it is held by the connection that also listens for the messages of the
other processes. With a message broker of its own (`BROKER_URL`) nothing here is used.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import TracebackType
from typing import Any

import dramatiq
from django.db import Error, connections
from dramatiq.worker import Worker

from jobs.errors import Conflict
from jobs.ledger.expiry import leases_expire
from jobs.messages.channel import CHANNEL, HEAL_SECONDS
from jobs.messages.names import CONTROL_QUEUE, HEAL, WORK_QUEUE
from jobs.messages.send import actor_send
from jobs.postgres.advisory_locks import WORKER_LOCK
from jobs.queries.waiting import seen_when_over
from jobs.registry import chores

log = logging.getLogger(__name__)

WORK_THREADS = 6
CONTROL_THREADS = 2
STOP_MILLISECONDS = 40_000
RECONNECT_SECONDS = 1.0
LOOK_FOR_WORK_SECONDS = 2.0  # how long to wait before trying to take over from another process


class WorkerBusy(Conflict):
    """Another process hosts the workers"""

    code = "already_up"

    def __init__(self) -> None:
        super().__init__(
            "Another process is already working on this database (`up`, or a command that runs a job);"
            " stop it or wait for it, then start again."
        )


class WorkerHost:
    """Workers, their listener and the healing clock, for as long as the context is open.

    Raises: WorkerBusy on entering, when another process works.
    """

    def __init__(self, *, work_threads: int = WORK_THREADS) -> None:
        self._broker: Any = dramatiq.get_broker()
        self._stopping = threading.Event()
        self._connection = connections.create_connection("default")
        self._connection.inc_thread_sharing()  # made here, used by the listener
        self._workers = [
            Worker(self._broker, queues={WORK_QUEUE}, worker_threads=work_threads, worker_timeout=200),
            Worker(self._broker, queues={CONTROL_QUEUE}, worker_threads=CONTROL_THREADS, worker_timeout=200),
        ]
        self._threads = [
            threading.Thread(target=self._listen, name="listener", daemon=True),
            threading.Thread(target=self._tick, name="healing-clock", daemon=True),
        ]

    def __enter__(self) -> "WorkerHost":
        if not self._take_lock():
            self._connection.close()
            raise WorkerBusy()
        try:
            leases_expire(all_of_them=True)  # we hold the lock: the process that held these leases is dead
            chores.host_opened()
            self._broker.is_hosting = True
            if not getattr(self._broker, "was_booted", False):
                # Without this the middlewares that start threads, such as time limits, silently do nothing; and
                # their threads start once in a process.
                self._broker.was_booted = True
                self._broker.emit_after("process_boot")
            with _second_worker_expected():
                for worker in self._workers:
                    worker.start()
            for thread in self._threads:
                thread.start()
            actor_send(HEAL)  # jobs submitted while no process worked need not wait for the clock
        except BaseException:
            self._broker.is_hosting = False
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for worker in self._workers:
            worker.stop(timeout=STOP_MILLISECONDS)
        for thread in self._threads:
            thread.join(timeout=10)
        self._broker.is_hosting = False
        try:
            chores.host_closed()
        except Error:
            # PostgreSQL stopped first. The next host will assume that this one crashed and check more than needed.
            log.warning("host_end_not_noted", exc_info=True)
        finally:
            self._connection.close()

    def _take_lock(self) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [WORKER_LOCK])
            return bool(cursor.fetchone()[0])

    def _listen(self) -> None:
        """Queue what other processes announce; after a lost connection, take the lock and listen again."""
        while not self._stopping.is_set():
            try:
                if not self._connection.is_usable():
                    self._connection.close()
                    if not self._take_lock():
                        log.warning("worker_lock_taken_by_another")
                self._receive_until_stopped()
            except Error:
                log.warning("listener_lost_its_connection")
                self._connection.close()
                self._stopping.wait(RECONNECT_SECONDS)

    def _receive_until_stopped(self) -> None:
        with self._connection.wrap_database_errors, self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
            while not self._stopping.is_set():
                for notification in self._connection.connection.notifies(timeout=0.5):
                    self._broker.receive(notification.payload)

    def _tick(self) -> None:
        while not self._stopping.wait(HEAL_SECONDS):
            actor_send(HEAL)


@contextmanager
def _second_worker_expected() -> Iterator[None]:
    """Silence the broker's warning about a second Worker: ours serve different queues, which is safe."""
    logger = logging.getLogger(f"dramatiq.broker.{type(dramatiq.get_broker()).__name__}")

    def keep(record: logging.LogRecord) -> bool:
        return "middleware of the same type twice" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def is_hosted() -> bool:
    """Return whether any process is hosting the workers right now."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND l.objid = %s AND l.granted AND d.datname = current_database())",
            [WORKER_LOCK],
        )
        return bool(cursor.fetchone()[0])


def hosting_or_waiting(finished: Callable[[], bool]) -> None:
    """Return once `finished()`, hosting the workers in this process whenever no other does.

    With a message broker of its own, an installation has workers of its own: then this only waits.
    """
    can_host = hasattr(dramatiq.get_broker(), "is_hosting")
    while not finished():
        try:
            with WorkerHost() if can_host else nullcontext():
                _until(finished)
        except WorkerBusy:
            _until(finished, seconds=LOOK_FOR_WORK_SECONDS)


def _until(finished: Callable[[], bool], *, seconds: float | None = None) -> None:
    seen_when_over(False, lambda _: finished(), bool, seconds=seconds)
