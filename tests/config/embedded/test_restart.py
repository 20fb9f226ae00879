"""What a client makes of the note while its server is dead, being restarted, or already another one."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from config.embedded import client, state
from config.embedded.errors import StartFailed
from config.environment.env import CHECKOUT
from tests.helpers.embedded_home import Home, answer
from tests.helpers.factories import PATIENCE_SECONDS
from tests.helpers.processes import eventually

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


#: A supervisor that stops before it writes its second note, says the pid in it, and goes on when it is told.
HELD_CODE = """
import os, sys
from pathlib import Path
from config.embedded import state, supervisor
folder, reached, go_on = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
write, written = state.write_note, []
def held_write(folder, server):
    if written:
        os.write(reached, str(server.postmaster_pid).encode())
        os.read(go_on, 1)
    written.append(server)
    write(folder, server)
state.write_note = held_write
sys.exit(supervisor.supervise(folder))
"""


@dataclass
class HeldSupervisor:
    """A supervisor whose second note waits; the file descriptors are our ends of two pipes."""

    process: subprocess.Popen
    reached: int
    go_on: int

    def next_server(self) -> int:
        """Wait until the next server answers and its note is about to be written; return its pid."""
        readable, _, _ = select.select([self.reached], [], [], PATIENCE_SECONDS)
        assert readable, "the supervisor started no other server"
        return int(os.read(self.reached, 20))

    def release(self) -> None:
        """Let it write the note."""
        os.write(self.go_on, b".")


@pytest.fixture
def held(home: Home) -> Iterator[HeldSupervisor]:
    """A supervisor of `home` that runs a server and will be held at the note about the next one."""
    reached, reached_writer = os.pipe()
    go_on_reader, go_on = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", HELD_CODE, str(home.path / "postgres"), str(reached_writer), str(go_on_reader)],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        pass_fds=(reached_writer, go_on_reader),
    )
    os.close(reached_writer)
    os.close(go_on_reader)
    assert process.stdout.readline() == b"{}\n"
    yield HeldSupervisor(process, reached, go_on)
    os.close(go_on)  # a supervisor that still waits goes on
    os.close(reached)
    process.terminate()
    process.wait(PATIENCE_SECONDS)
    process.stdout.close()


@pytest.fixture
def folder(home: Home) -> Iterator[Path]:
    """The folder of a server that another process keeps running; this one may ask for it."""
    home.use()
    yield home.path / "postgres"
    client.release(home.path)


def test_a_restarted_server_that_answers_is_reached_only_by_its_own_note(home, held):
    _, note = home.use()
    os.kill(note["postmaster_pid"], signal.SIGKILL)
    new_pid = held.next_server()
    assert home.query(note, "SELECT 1") == [(1,)], "the new server answers on the old path"
    assert not (home.path / "postgres" / "server.json").exists(), "a note names a dead server"
    user = home.start_user()
    held.release()
    assert answer(user)["postmaster_pid"] == new_pid


def test_a_note_that_is_replaced_while_we_connect_is_read_again(home, folder, monkeypatch):
    read = state.read_note
    current = read(folder)
    notes = [replace(current, postmaster_pid=current.postmaster_pid + 1), None, None]
    monkeypatch.setattr(state, "read_note", lambda folder: notes.pop(0) if notes else read(folder))
    assert str(client.ensure_running(home.path)) == current.socket_folder
    assert notes == [], "the server was believed to be the one of a note that was gone"


def test_a_server_that_dies_while_we_connect_and_is_back_at_once_is_no_refusal(home, folder, monkeypatch):
    connect, first = psycopg.connect, state.read_note(folder)
    killed = []

    def is_replaced() -> bool:
        note = state.read_note(folder)
        return note is not None and note.postmaster_pid != first.postmaster_pid

    def connect_too_late(*arguments: object, **options: object) -> psycopg.Connection:
        if killed:
            return connect(*arguments, **options)
        killed.append(first.postmaster_pid)
        os.kill(first.postmaster_pid, signal.SIGKILL)
        eventually(is_replaced)
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(psycopg, "connect", connect_too_late)
    assert str(client.ensure_running(home.path)) == first.socket_folder
    assert killed
    assert is_replaced()


def test_a_running_server_that_refuses_us_is_said_at_once(home, folder, monkeypatch):
    def refuse(*arguments: object, **options: object) -> psycopg.Connection:
        raise psycopg.OperationalError("sorry, too many clients already")

    monkeypatch.setattr(psycopg, "connect", refuse)
    with pytest.raises(StartFailed, match=r"too many clients already.*max_connections"):
        client.ensure_running(home.path)
