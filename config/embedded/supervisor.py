"""The small process that keeps PostgreSQL running while anyone uses it.

`python -m config.embedded.supervisor FOLDER` detaches itself, takes `supervisor.lock` (or leaves, if another
has it), starts the server, restarts it when it dies, and stops it when nobody holds `users.lock` any more.
Whether the start worked goes as one line of JSON to standard output; a full disk cannot swallow that.
"""

import json
import logging
import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from config.embedded import locks, state
from config.embedded.accounts import server_account
from config.embedded.binaries import find_binaries, usable_binaries
from config.embedded.cluster import Cluster
from config.embedded.errors import EmbeddedError, refusal
from config.embedded.server import Server
from config.embedded.sockets import make_socket_folder
from config.logging import JsonFormatter

log = logging.getLogger("config.embedded")

#: A predecessor may still be stopping; longer than that, and the one who asked will ask again.
_LOCK_SECONDS: Final = 2.0
#: Kept for so long after the last user, so that a row of commands shares one server.
_LINGER_SECONDS: Final = 2.0
_WATCH_SECONDS: Final = 0.2
_BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
#: A server that ran for so long did start well: the back-off begins anew.
_STEADY_SECONDS: Final = 60.0


class Supervisor:
    """Runs the server of one folder until nobody uses it. The caller holds `supervisor.lock`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.users_path = folder / "users.lock"
        self.users = locks.open_lock(self.users_path)
        self.is_told_to_stop = False
        self._is_data_gone = False
        self._unused_since: float | None = None

    def run(self) -> None:
        """Prepare, then start and watch the server, again when it dies, until nobody wants it.

        Raises: EmbeddedError if it cannot be started, or dies too often in a row.
        """
        state.remove_note(self.folder)
        account = server_account(self.folder / "data")
        cluster = Cluster(self.folder, usable_binaries(find_binaries(), account), account)
        socket_folder = make_socket_folder(self.folder, account)
        try:
            cluster.prepare(socket_folder)
            self._keep_running(cluster, socket_folder)
        finally:
            shutil.rmtree(socket_folder, ignore_errors=True)

    def _keep_running(self, cluster: Cluster, socket_folder: Path) -> None:
        """Run servers, one after the other died, with growing pauses; raises what the last one died of."""
        failures = 0
        while not self._is_unwanted():
            started = time.monotonic()
            try:
                self._run_once(cluster, socket_folder)
            except EmbeddedError as error:
                if failures >= len(_BACKOFF_SECONDS):
                    raise
                log.warning("server_failed", extra={"detail": str(error), "failures": failures + 1})
            if self._is_unwanted():
                break
            failures = 0 if time.monotonic() - started > _STEADY_SECONDS else failures + 1
            time.sleep(_BACKOFF_SECONDS[max(failures, 1) - 1])

    def _run_once(self, cluster: Cluster, socket_folder: Path) -> None:
        """Run one server until it dies (raises StartFailed) or is not wanted any more (stops it).

        The note goes first in either case. If it stayed until the next server's own note, a client could reach
        that server, which answers on the same socket, by the note of the dead one.
        """
        server = Server(cluster)
        try:
            if server.wait_until_ready(self._is_unwanted):
                self._announce(server, socket_folder)
                while server.process.poll() is None and not self._is_unwanted():
                    time.sleep(_WATCH_SECONDS)
        finally:
            try:
                self._withdraw_note()
            finally:
                if server.process.poll() is None:
                    server.stop(is_data_gone=self._is_data_gone)
        if not self._is_unwanted():
            raise server.failure(f"PostgreSQL ended with status {server.process.returncode}")
        log.info("server_stopped", extra={"postmaster_pid": server.process.pid})

    def _announce(self, server: Server, socket_folder: Path) -> None:
        """Write the note and report to the process that started us."""
        note = state.RunningServer(
            folder=str(self.folder.resolve()),
            supervisor_pid=os.getpid(),
            postmaster_pid=server.process.pid,
            socket_folder=str(socket_folder),
            system_identifier=state.system_identifier(server.cluster.data),
        )
        try:
            state.write_note(self.folder, note)
        except OSError as error:
            raise refusal(error, self.folder) from error
        log.info("server_ready", extra={"postmaster_pid": note.postmaster_pid})
        report({})

    def _withdraw_note(self) -> None:
        """Remove the note; in a folder that replaced ours it is another supervisor's."""
        if not self._is_data_gone:
            state.remove_note(self.folder)

    def _is_unwanted(self) -> bool:
        """Return whether to stop: a signal said so, the folder is gone, or nobody used the server for a moment.

        In the last case the users' lock is kept from then on, so that a newcomer waits until we are gone.
        """
        if self.is_told_to_stop or self._is_data_gone:
            return True
        if not locks.is_still(self.users, self.users_path):
            self._is_data_gone = True
        elif not locks.try_exclusive(self.users):
            self._unused_since = None
        elif self._unused_since is None:
            self._unused_since = time.monotonic()
            locks.unlock(self.users)
        elif time.monotonic() - self._unused_since < _LINGER_SECONDS:
            locks.unlock(self.users)
        else:
            self.is_told_to_stop = True
        return self.is_told_to_stop or self._is_data_gone


def report(outcome: dict[str, str]) -> None:
    """Write the outcome of the start as a line to standard output and close the pipe behind it.

    Later outcomes go nowhere: the descriptor then leads to /dev/null, so that no other file takes its number.
    """
    with suppress(BrokenPipeError):  # whoever started us was killed meanwhile
        os.write(1, json.dumps(outcome).encode() + b"\n")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def supervise(folder: Path) -> int:
    """Run the supervisor of `folder`; return 0, or 1 if PostgreSQL could not be kept running."""
    try:
        lock = locks.open_lock(folder / "supervisor.lock")
        if not locks.try_exclusive_for(lock, seconds=_LOCK_SECONDS):
            return 0
        supervisor = Supervisor(folder)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, partial(_remember, supervisor))
        supervisor.run()
    except (EmbeddedError, OSError) as error:
        typed = refusal(error, folder) if isinstance(error, OSError) else error
        log.error("server_given_up", extra={"detail": str(typed)})
        report({"error": type(typed).__name__, "detail": str(typed)})
        return 1
    return 0


def _remember(supervisor: Supervisor, number: int, frame: FrameType | None) -> None:
    supervisor.is_told_to_stop = True


def main(folder: Path) -> int:
    """Detach from whoever started us, then supervise `folder`."""
    if os.fork() != 0:
        os._exit(0)  # the starter reaps this one at once; the real supervisor is nobody's zombie
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    return supervise(folder)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
