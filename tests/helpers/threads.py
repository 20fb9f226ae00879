"""The other side of a race: a thread with its own connection, and looks at what PostgreSQL makes it wait for."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from django.db import connection

from tests.helpers.factories import PATIENCE_SECONDS

LOOK_SECONDS = 0.01


class Side:
    """Runs `work` on a thread with a connection of its own, from now on."""

    def __init__(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._future: Future[Any] = Future()
        self._pid: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(work, args, kwargs), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[..., Any], args: Any, kwargs: Any) -> None:
        try:
            connection.ensure_connection()
            self._pid.set_result(connection.connection.info.backend_pid)
            self._future.set_result(work(*args, **kwargs))
        except BaseException as error:
            self._future.set_exception(error)
        finally:
            connection.close()

    @property
    def pid(self) -> int:
        """The process id of its connection's backend."""
        return self._pid.result(PATIENCE_SECONDS)

    @property
    def is_over(self) -> bool:
        """True once the work returned or raised."""
        return self._future.done()

    def result(self) -> Any:
        """Return what the work returned, or raise what it raised."""
        result = self._future.result(PATIENCE_SECONDS)
        self._thread.join(PATIENCE_SECONDS)
        return result

    def join(self) -> None:
        """Wait for the end, whatever it is."""
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "a side of the race never ended"

    def wait_blocked(self) -> None:
        """Return once its connection waits for a lock that another connection holds."""
        until(lambda: self.is_over or blockers(self.pid), "the other side waits for a lock")
        assert not self.is_over, f"it went through without waiting: {self._future}"


def blockers(pid: int) -> list[int]:
    """Return the backends that the backend `pid` waits for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_blocking_pids(%s)", [pid])
        return list(cursor.fetchone()[0])


def until(condition: Callable[[], Any], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as `condition` holds; fail after `seconds` of looking."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never came: {what}"
        threading.Event().wait(LOOK_SECONDS)


@contextmanager
def right_after(part: str, act: Callable[[], Any]) -> Iterator[None]:
    """Let `act` happen once, right after this connection's first statement that contains `part`."""
    done: list[Any] = []

    def watch(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
        result = execute(sql, *arguments)
        if part in sql and not done:
            done.append(sql)
            act()
        return result

    with connection.execute_wrapper(watch):
        yield
    assert done, f"no statement contained {part!r}"
