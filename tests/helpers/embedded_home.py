"""A home of the embedded PostgreSQL for one test, and the processes that use it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from config.embedded import locks
from config.environment.env import CHECKOUT
from tests.helpers.processes import eventually, is_alive, server_processes

#: PostgreSQL's settings for clusters whose data may be lost with the machine.
QUICK_SETTINGS = "fsync = off\nshared_buffers = 16MB\n"

#: Says in JSON what it found, then keeps the server in use until its input ends.
USER_CODE = """
import dataclasses, json, os, subprocess, sys
from pathlib import Path
from config.embedded.client import ensure_running
from config.embedded.errors import EmbeddedError
from config.embedded.state import read_note
home, then = Path(sys.argv[1]), sys.argv[2]
try:
    ensure_running(home)
except EmbeddedError as error:
    print(json.dumps({"error": type(error).__name__, "detail": str(error)}), flush=True)
    sys.exit(1)
note = dataclasses.asdict(read_note(home / "postgres"))
if then == "fork" and (child := os.fork()):
    note["child"] = child
    print(json.dumps(note), flush=True)
    os._exit(0)
if then == "exec":
    nowhere = subprocess.DEVNULL
    note["child"] = subprocess.Popen(["sleep", "600"], stdin=nowhere, stdout=nowhere).pid
if then != "fork":
    print(json.dumps(note), flush=True)
sys.stdin.read()
os._exit(0)
"""


def is_free(lock: Path) -> bool:
    """Return whether no process holds the lock file."""
    descriptor = locks.open_lock(lock)
    try:
        return locks.try_exclusive(descriptor)
    finally:
        os.close(descriptor)


@dataclass
class Home:
    """A home and all processes a test started on it."""

    path: Path
    prefix: list[str] = field(default_factory=list)
    users: list[subprocess.Popen] = field(default_factory=list)

    @property
    def data(self) -> Path:
        return self.path / "postgres" / "data"

    def start_user(self, then: str = "wait") -> subprocess.Popen:
        """Start a process that uses the server; `answer` reads what it found."""
        user = subprocess.Popen(
            [*self.prefix, sys.executable, "-c", USER_CODE, str(self.path), then],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.users.append(user)
        return user

    def use(self, then: str = "wait") -> tuple[subprocess.Popen, dict]:
        """Start a process that uses the server and return it with what it found."""
        user = self.start_user(then)
        return user, answer(user)

    def end(self, user: subprocess.Popen) -> None:
        """Let a process end by itself."""
        user.stdin.close()
        user.wait(60)

    def query(self, note: dict, statement: str) -> list:
        """Run a statement in our database."""
        with psycopg.connect(host=note["socket_folder"], dbname="quarry", user="quarry") as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """End every process of this home."""
        for user in self.users:
            if user.poll() is None:
                user.kill()
            user.wait(60)
            user.stdin.close()
            user.stdout.close()
        note = self.path / "postgres" / "server.json"
        if note.exists():
            supervisor = json.loads(note.read_text())["supervisor_pid"]
            with contextlib.suppress(ProcessLookupError):
                os.kill(supervisor, signal.SIGTERM)
            eventually(lambda: not is_alive(supervisor))
        lock = self.path / "postgres" / "supervisor.lock"
        if lock.exists():
            # Without a note, a supervisor may be starting a server; nobody uses it, so it stops by itself.
            eventually(lambda: is_free(lock))
        if self.data.exists():
            eventually(lambda: not server_processes(self.data))


def answer(user: subprocess.Popen) -> dict:
    """Return what a user process found, or the error it got."""
    line = user.stdout.readline()
    assert line, f"the process ended with status {user.wait(60)}"
    return json.loads(line)
