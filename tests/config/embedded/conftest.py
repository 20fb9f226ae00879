"""Homes of the embedded PostgreSQL for the tests here: a cluster is made once and copied."""

import subprocess

import pytest

from tests.helpers.embedded_home import QUICK_SETTINGS, Home
from tests.helpers.processes import eventually, is_alive


@pytest.fixture(scope="session")
def ready_cluster(tmp_path_factory):
    """A home whose cluster is made and whose server is stopped, to copy from."""
    home = Home(tmp_path_factory.mktemp("cluster"))
    (home.path / "postgresql.conf").write_text(QUICK_SETTINGS)
    user, note = home.use()
    home.end(user)
    eventually(lambda: not is_alive(note["supervisor_pid"]))
    yield home.path
    home.close()


@pytest.fixture
def home(ready_cluster, tmp_path):
    """A home with a cluster of its own."""
    subprocess.run(["cp", "-a", ready_cluster, tmp_path / "home"], check=True)
    home = Home(tmp_path / "home")
    yield home
    home.close()
