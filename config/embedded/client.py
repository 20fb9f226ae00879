"""What every process of ours does before it connects: say that it uses the server, and see that it runs."""

import json
import os
import select
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from config.embedded import locks, state
from config.embedded.cluster import DATABASE, SUPERUSER
from config.embedded.errors import ERRORS, EmbeddedError, StartFailed, refusal

#: Making a cluster takes a second, recovery after a crash a few; a slow disk gets time.
START_TIMEOUT_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.03
_CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent

_guard = threading.RLock()


@dataclass(frozen=True, slots=True)
class _Use:
    """The shared lock of this process on one home; the descriptor lives as long as the process."""

    descriptor: int
    socket_folder: Path


_uses: dict[Path, _Use] = {}


def ensure_running(home: Path, *, is_known_good: bool = True) -> Path:
    """Return the folder of the socket of the running server; start it if need be.

    The first call takes the shared lock that keeps the server alive for the rest of this process's life, and
    of its forked children's (not of programs it executes). Later calls cost nothing; after a failed
    connection pass `is_known_good=False` to look again.
    Raises: EmbeddedError with the remedy.
    """
    with _guard:
        use = _uses.get(home)
        if use and is_known_good:
            return use.socket_folder
        folder = home / "postgres"
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = _shared_lock(folder, use, deadline)
            socket_folder = _wait_for_server(folder, deadline)
        except OSError as error:
            raise refusal(error, folder) from error
        _uses[home] = _Use(descriptor, socket_folder)
        return socket_folder


def release(home: Path) -> None:
    """Give the shared lock back: from now on this process does not keep the server alive."""
    with _guard:
        use = _uses.pop(home, None)
        if use:
            os.close(use.descriptor)


def _shared_lock(folder: Path, use: _Use | None, deadline: float) -> int:
    """Return a descriptor with the shared lock, the one we have if its file is still the one in the folder.

    A supervisor that is stopping the server holds the lock alone; it is waited for.
    """
    path = folder / "users.lock"
    if use and locks.is_still(use.descriptor, path):
        return use.descriptor
    descriptor = locks.open_lock(path)
    while not locks.try_shared(descriptor):
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise StartFailed(
                f"The PostgreSQL of {folder} has been stopping for {START_TIMEOUT_SECONDS:.0f} seconds; look "
                f"into {folder / 'server.log'} and try again."
            )
        time.sleep(_POLL_SECONDS)
    return descriptor


def _wait_for_server(folder: Path, deadline: float) -> Path:
    """Return the socket's folder once our own cluster answers, starting supervisors until one does."""
    start: _Start | None = None
    try:
        while time.monotonic() < deadline:
            if found := _answering(folder):
                return found
            if start is None or start.is_over(wait_seconds=_POLL_SECONDS):
                start = _Start(folder)
    finally:
        if start:
            start.close()
    raise StartFailed(
        f"PostgreSQL did not answer within {START_TIMEOUT_SECONDS:.0f} seconds; look into "
        f"{folder / 'server.log'} and {folder / 'supervisor.log'}, correct what they say and start again."
    )


def _answering(folder: Path) -> Path | None:
    """Return the socket's folder if the server of the note answers and serves our cluster; make our database.

    A restarted server answers on the same path before its note is written, and an old one may listen there, so
    the answer counts only if it has the note's identifier and the note is still the same afterwards. Somebody
    else's folder in /tmp under our name is not even asked.
    Raises: StartFailed if the server runs and yet refuses us.
    """
    note = state.read_note(folder)
    if note is None or not _has_same_owner(Path(note.socket_folder), folder / "data"):
        return None
    target = make_conninfo(host=note.socket_folder, dbname="postgres", user=SUPERUSER, connect_timeout=5)
    if not _is_ready(target):
        return None
    try:
        with psycopg.connect(target, autocommit=True) as connection:
            answer = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
            if answer is None or answer[0] != note.system_identifier:
                return None
            _make_database(connection)
    except psycopg.OperationalError as error:
        if not _is_ready(target) or state.read_note(folder) != note:
            return None  # it died meanwhile; another may run already
        raise StartFailed(
            f"PostgreSQL of {folder} runs but refuses connections ({error}); stop some of what uses it, or "
            f"raise max_connections in {folder.parent / 'postgresql.conf'}."
        ) from error
    return Path(note.socket_folder) if state.read_note(folder) == note else None


def _is_ready(target: str) -> bool:
    """Return whether a server accepts connections there; false while it is stopped, starting or recovering."""
    return PGconn.ping(target.encode()) == Ping.OK


def _has_same_owner(first: Path, second: Path) -> bool:
    try:
        return first.lstat().st_uid == second.stat().st_uid
    except FileNotFoundError:
        return False


def _make_database(connection: psycopg.Connection) -> None:
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is not None:
        return
    try:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # another process was first


def _launch(folder: Path, output: int, log: BinaryIO) -> None:
    """Start a supervisor; it detaches itself, so that the command returns at once."""
    command = [sys.executable, "-m", "config.embedded.supervisor", str(folder)]
    try:
        subprocess.run(  # noqa: S603 - our own module
            command,
            cwd=_CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise StartFailed(
            f"PostgreSQL's supervisor could not be started ({error}); see {log.name}, and check that this "
            f"user may run {sys.executable}."
        ) from error


class _Start:
    """One supervisor being started, and the pipe on which it reports how that went."""

    def __init__(self, folder: Path) -> None:
        self._said = b""
        self._is_closed = False
        self.pipe, writer = os.pipe()
        os.set_blocking(self.pipe, False)
        try:
            with (folder / "supervisor.log").open("ab") as log:
                _launch(folder, writer, log)
        except (OSError, EmbeddedError):
            self.close()
            raise
        finally:
            os.close(writer)

    def is_over(self, *, wait_seconds: float) -> bool:
        """Wait a moment for news; return whether this supervisor has reported its outcome or left.

        Raises: the EmbeddedError it reported.
        """
        if self._is_closed:
            time.sleep(wait_seconds)
            return True
        readable, _, _ = select.select([self.pipe], [], [], wait_seconds)
        if not readable:
            return False
        if heard := os.read(self.pipe, 65_536):
            self._said += heard
            return False
        self.close()
        outcome = json.loads(self._said or b"{}")
        if "error" in outcome:
            raise ERRORS[outcome["error"]](outcome["detail"])
        return True

    def close(self) -> None:
        """Close our end of the pipe."""
        if not self._is_closed:
            os.close(self.pipe)
            self._is_closed = True


def _forget_guard() -> None:
    """In a forked child, replace a guard that another thread of the parent may hold for ever."""
    global _guard
    _guard = threading.RLock()


os.register_at_fork(after_in_child=_forget_guard)
