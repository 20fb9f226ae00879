"""One run of `postgres`: started so that it cannot outlive the supervisor, watched until ready, stopped."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from config.embedded.cluster import NO_SPACE, Cluster
from config.embedded.errors import EmbeddedError, StartFailed, disk_full, refusal

_READY_TIMEOUT_SECONDS: Final = 600.0  # recovery after a crash replays up to max_wal_size
_FAST_STOP_SECONDS: Final = 60.0
_KILL_SECONDS: Final = 10.0
MAX_LOG_BYTES: Final = 10_000_000
_TAIL_BYTES: Final = 2_000
_PR_SET_PDEATHSIG: Final = 1


class Server:
    """A `postgres` child of this process. Make it in the main thread: its death signal follows the thread."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.log = cluster.folder / "server.log"
        _stop_leftover(cluster.data)
        try:
            _turn_over(self.log)
            with self.log.open("ab") as log:
                self._log_start = log.tell()
                self.process = self._start(log.fileno())
        except OSError as error:
            raise refusal(error, cluster.folder) from error

    def _start(self, log: int) -> subprocess.Popen[bytes]:
        command = [self.cluster.binaries.program("postgres"), "-D", self.cluster.data_argument()]
        return subprocess.Popen(  # noqa: S603 - our own command line
            command,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_parent(),  # safe: this process has one thread
            **self.cluster.process_options(),
        )

    def wait_until_ready(self, is_unwanted: Callable[[], bool]) -> bool:
        """Wait until our own child, and not an older server, accepts connections; false if no longer wanted.

        Raises: StartFailed or DiskFull with the end of the log if it ends before.
        """
        deadline = time.monotonic() + _READY_TIMEOUT_SECONDS
        while not self._says_ready():
            if self.process.poll() is not None:
                raise self.failure(f"PostgreSQL ended with status {self.process.returncode} while starting")
            if time.monotonic() > deadline:
                self.stop()
                raise self.failure(f"PostgreSQL was not ready within {_READY_TIMEOUT_SECONDS:.0f} seconds")
            if is_unwanted():
                return False
            time.sleep(0.02)
        return True

    def stop(self, *, is_data_gone: bool = False) -> None:
        """Stop it cleanly, and less cleanly if that takes too long; recovery at the next start mends that."""
        steps = ((signal.SIGINT, _FAST_STOP_SECONDS), (signal.SIGQUIT, _KILL_SECONDS))
        for number, seconds in steps[1:] if is_data_gone else steps:
            self.process.send_signal(number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            return
        self.process.kill()
        self.process.wait()

    def log_tail(self) -> str:
        """Return the end of what this run wrote to the log."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()

    def _says_ready(self) -> bool:
        """Read the status line of postmaster.pid (line 8), as pg_ctl does; the pid must be our child's."""
        try:
            lines = (self.cluster.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(self.process.pid) and lines[7].strip() == "ready"

    def failure(self, what: str) -> EmbeddedError:
        """Return the error that says what happened, with the end of the log."""
        tail = self.log_tail()
        if NO_SPACE in tail:
            return disk_full(self.cluster.folder)
        return StartFailed(f"{what}; correct what {self.log} says and start again. It ends with: {tail or 'nothing'}")


def _die_with_parent() -> Callable[[], None] | None:
    """Return what the child does before `exec`: ask the kernel to end it when the supervisor is killed.

    It runs after the change of user, which would clear the request. SIGQUIT is PostgreSQL's immediate stop.
    """
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def request() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
        if os.getppid() != parent:  # the supervisor died before the request
            os._exit(1)

    return request


def _stop_leftover(data: Path) -> None:
    """End a server an earlier supervisor left behind, and remove a pid file that names no server of ours.

    PostgreSQL itself would take any living process with that pid, common in containers, for a running server.
    """
    pid_file = data / "postmaster.pid"
    try:
        pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
    except FileNotFoundError:
        return
    except ValueError:
        pid_file.unlink()
        return
    for number, seconds in ((signal.SIGQUIT, _KILL_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
        if not _works_in(pid, data):
            break
        os.kill(pid, number)
        _wait_until_gone(pid, data, seconds)
    if Path("/proc/self").exists() and not _works_in(pid, data):
        pid_file.unlink(missing_ok=True)


def _works_in(pid: int, data: Path) -> bool:
    """Return whether the process lives and has `data` as its working folder, as every server process has."""
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data)
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return False


def _wait_until_gone(pid: int, data: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _works_in(pid, data) and time.monotonic() < deadline:
        time.sleep(0.02)


def _turn_over(log: Path) -> None:
    """Keep one older log, so that the log cannot fill the disk."""
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        shutil.move(log, log.with_name(f"{log.name}.1"))
