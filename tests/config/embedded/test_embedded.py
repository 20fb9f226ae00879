"""The embedded PostgreSQL as a whole: real servers, real kills."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from config.embedded.server import MAX_LOG_BYTES
from config.environment.env import CHECKOUT
from tests.helpers.embedded_home import QUICK_SETTINGS, Home, answer
from tests.helpers.processes import eventually, is_alive, server_processes

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def ordinary_home():
    """An empty home of an ordinary user, whose processes run as that user."""
    folder = Path(tempfile.mkdtemp(prefix="quarry-test-"))
    home = Home(folder / "home")
    home.path.mkdir()
    (home.path / "postgresql.conf").write_text(QUICK_SETTINGS)
    if IS_ROOT:
        nobody = pwd.getpwnam("nobody")
        folder.chmod(0o755)
        os.chown(home.path, nobody.pw_uid, nobody.pw_gid)
        home.prefix = as_ordinary_user(nobody)
    yield home
    home.close()
    shutil.rmtree(folder)


def as_ordinary_user(user: pwd.struct_passwd) -> list[str]:
    """Return the command prefix that runs a program as another user, who may at least read this checkout.

    An interpreter below root's home is closed to others; then the user gets the right to read, and no other.
    """
    if not (setpriv := shutil.which("setpriv")):
        pytest.skip("setpriv, which changes the user, is missing")
    plain = [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    reading = [*plain, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    for prefix in (plain, reading):
        # Twice, because the first program is still started by root.
        again = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
        command = [*prefix, sys.executable, "-c", again, "import config.embedded.client"]
        look = subprocess.run(command, cwd=CHECKOUT, capture_output=True)
        if look.returncode == 0:
            return prefix
    pytest.skip("an ordinary user cannot read this checkout or its interpreter")


def test_the_server_lives_as_long_as_its_last_user(home):
    first, note = home.use()
    second, same = home.use()
    assert same == note
    home.query(note, "CREATE TABLE kept AS SELECT 7 AS number")
    home.end(first)
    assert home.query(note, "SELECT number FROM kept") == [(7,)]
    home.end(second)
    eventually(lambda: not is_alive(note["postmaster_pid"]) and not is_alive(note["supervisor_pid"]))
    assert server_processes(home.data) == []
    assert not (home.path / "postgres" / "server.json").exists()
    assert not Path(note["socket_folder"]).exists()
    assert not (home.data / "postmaster.pid").exists(), "the stop was not clean"

    _, again = home.use()
    assert again["postmaster_pid"] != note["postmaster_pid"]
    assert home.query(again, "SELECT number FROM kept") == [(7,)]


def test_a_killed_server_is_started_again_by_its_supervisor(home):
    _, note = home.use()
    home.query(note, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(note["postmaster_pid"], signal.SIGKILL)
    eventually(lambda: not is_alive(note["postmaster_pid"]))
    _, again = home.use()
    assert again["supervisor_pid"] == note["supervisor_pid"]
    assert again["postmaster_pid"] != note["postmaster_pid"]
    assert home.query(again, "SELECT number FROM kept") == [(7,)]


def test_a_killed_supervisor_takes_its_server_along_and_is_replaced(home):
    _, note = home.use()
    home.query(note, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(note["supervisor_pid"], signal.SIGKILL)
    eventually(lambda: not is_alive(note["postmaster_pid"]))
    _, again = home.use()
    assert again["supervisor_pid"] != note["supervisor_pid"]
    assert home.query(again, "SELECT number FROM kept") == [(7,)]


def test_a_killed_user_lets_the_server_stop(home):
    user, note = home.use()
    user.kill()
    eventually(lambda: not is_alive(note["postmaster_pid"]) and not is_alive(note["supervisor_pid"]))
    assert home.query(home.use()[1], "SELECT 1") == [(1,)]


def test_killing_everything_at_once_blocks_nothing(home):
    user, note = home.use()
    home.query(note, "CREATE TABLE kept AS SELECT 7 AS number")
    for pid in (note["supervisor_pid"], *server_processes(home.data), user.pid):
        with contextlib.suppress(ProcessLookupError):  # some follow the others by themselves
            os.kill(pid, signal.SIGKILL)
    _, again = home.use()
    assert home.query(again, "SELECT number FROM kept") == [(7,)]


def test_processes_that_start_together_share_one_server(home):
    users = [home.start_user() for _ in range(4)]
    notes = [answer(user) for user in users]
    assert all(note == notes[0] for note in notes)
    supervisor = notes[0]["supervisor_pid"]
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    assert children == [str(notes[0]["postmaster_pid"])]


def test_a_pid_file_that_names_another_living_process_blocks_nothing(home):
    (home.data / "postmaster.pid").write_text(f"{os.getpid()}\n{home.data}\n0\n5432\n/tmp\n\n0 0\nready\n")
    _, note = home.use()
    assert home.query(note, "SELECT 1") == [(1,)]
    assert is_alive(os.getpid())


def test_a_stale_socket_and_a_stale_note_block_nothing(home):
    user, note = home.use()
    text = (home.path / "postgres" / "server.json").read_text()
    home.end(user)
    eventually(lambda: not is_alive(note["supervisor_pid"]))
    folder = Path(note["socket_folder"])
    folder.mkdir(mode=0o700)
    (folder / ".s.PGSQL.5432").touch()
    (folder / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    (home.path / "postgres" / "server.json").write_text(text)
    _, again = home.use()
    assert home.query(again, "SELECT 1") == [(1,)]


def test_a_copied_home_gets_a_server_of_its_own(home, tmp_path):
    _, note = home.use()
    copy = Home(tmp_path / "copy")
    copy.path.mkdir()
    shutil.copy(home.path / "postgresql.conf", copy.path)
    (copy.path / "postgres").mkdir()
    shutil.copy(home.path / "postgres" / "server.json", copy.path / "postgres")
    try:
        _, other = copy.use()
        assert other["postmaster_pid"] != note["postmaster_pid"]
        assert other["socket_folder"] != note["socket_folder"]
    finally:
        copy.close()


def test_a_removed_home_takes_its_server_along(home):
    _, note = home.use()
    shutil.rmtree(home.path, ignore_errors=True)  # as `rm -rf` does: the supervisor takes its note away meanwhile
    assert not home.path.exists()
    eventually(lambda: not is_alive(note["postmaster_pid"]) and not is_alive(note["supervisor_pid"]))
    assert not Path(note["socket_folder"]).exists()


def test_a_forked_child_keeps_the_server(home):
    user, note = home.use("fork")
    user.wait(60)  # the child inherited its input
    assert is_alive(note["child"])
    # Another process comes and goes: the supervisor looked for users and found the child.
    home.end(home.use()[0])
    assert home.query(note, "SELECT 1") == [(1,)]
    user.stdin.close()
    eventually(lambda: not is_alive(note["supervisor_pid"]))


def test_an_executed_program_does_not_keep_the_server(home):
    user, note = home.use("exec")
    home.end(user)
    try:
        eventually(lambda: not is_alive(note["supervisor_pid"]))
        assert is_alive(note["child"])
    finally:
        os.kill(note["child"], signal.SIGKILL)


def test_a_draft_left_by_a_crashed_initdb_is_replaced(tmp_path):
    home = Home(tmp_path / "home")
    draft = home.path / "postgres" / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("half made")
    (home.path / "postgresql.conf").write_text(QUICK_SETTINGS)
    try:
        _, note = home.use()
        assert home.query(note, "SHOW fsync") == [("off",)]
        assert not draft.exists()
    finally:
        home.close()


def test_a_large_log_is_turned_over_at_the_next_start(home):
    log = home.path / "postgres" / "server.log"
    with log.open("ab") as file:
        file.truncate(MAX_LOG_BYTES + 1)  # as after years; the file has a hole and takes no space
    home.use()
    assert log.with_name("server.log.1").stat().st_size == MAX_LOG_BYTES + 1
    assert log.stat().st_size < MAX_LOG_BYTES


def test_a_cluster_of_another_major_version_is_refused(home):
    (home.data / "PG_VERSION").write_text("9\n")
    found = answer(home.start_user())
    assert found["error"] == "FolderRefused"
    assert "PostgreSQL 9" in found["detail"]
    assert "pg_dump" in found["detail"]
    assert (home.data / "global").is_dir(), "nothing was touched"


def test_a_folder_that_holds_something_else_is_refused(home):
    (home.data / "PG_VERSION").unlink()
    found = answer(home.start_user())
    assert (found["error"], "backup" in found["detail"]) == ("FolderRefused", True)


def test_a_server_that_cannot_start_says_why(home):
    (home.path / "postgresql.conf").write_text("shared_buffers = 'plenty'\n")
    found = answer(home.start_user())
    assert found["error"] == "StartFailed"
    assert "shared_buffers" in found["detail"]
    (home.path / "postgresql.conf").write_text(QUICK_SETTINGS)
    assert home.query(home.use()[1], "SELECT 1") == [(1,)]


def test_an_ordinary_user_runs_a_server_too(ordinary_home):
    _, note = ordinary_home.use()
    owner = ordinary_home.path.stat().st_uid
    assert Path(f"/proc/{note['postmaster_pid']}").stat().st_uid == owner
    assert Path(note["socket_folder"]).stat().st_mode & 0o777 == 0o700
    assert ordinary_home.query(note, "SELECT upper('é'), current_user") == [("É", "quarry")]


def test_a_folder_that_cannot_be_written_is_refused(ordinary_home):
    ordinary_home.path.chmod(0o500)
    found = answer(ordinary_home.start_user())
    assert found["error"] == "FolderRefused"
    assert found["detail"].startswith(f"{ordinary_home.path}/postgres cannot be used")
    assert "QUARRY_HOME" in found["detail"]
    ordinary_home.path.chmod(0o700)


@pytest.mark.skipif(not IS_ROOT, reason="needs two users")
def test_another_users_cluster_is_refused(ready_cluster, ordinary_home):
    subprocess.run(["cp", "-a", ready_cluster / "postgres", ordinary_home.path], check=True)
    owner = ordinary_home.path.stat()
    for path in (ordinary_home.path / "postgres", *(ordinary_home.path / "postgres").glob("*.lock")):
        os.chown(path, owner.st_uid, owner.st_gid)
    for path in (ordinary_home.path / "postgres").glob("*.log"):
        path.unlink()
    found = answer(ordinary_home.start_user())
    assert found["error"] == "FolderRefused"
    assert "belongs to postgres" in found["detail"]


@pytest.mark.skipif(not IS_ROOT, reason="only root changes the account")
def test_root_runs_it_unprivileged_with_the_data_below_a_closed_folder(home):
    assert home.path.parent.stat().st_mode & 0o077 == 0 or any(
        parent.stat().st_mode & 0o001 == 0 for parent in home.path.parents
    ), "the test's own folder should be closed to others"
    _, note = home.use()
    assert Path(f"/proc/{note['postmaster_pid']}").stat().st_uid == home.data.stat().st_uid != 0
    assert home.query(note, "SHOW data_directory") == [("/proc/self/cwd",)]
