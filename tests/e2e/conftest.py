"""Installations for whole-process tests: a prepared one is copied, because making a cluster takes its time."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.installation import Installation

QUICK = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nshared_buffers = 32MB\n"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip where processes cannot be looked at."""
    if not sys.platform.startswith("linux"):
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="looks into /proc"))


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, float]]:
    """A home after its very first `up`, stopped again, and the seconds until that served the admin."""
    installation = Installation(tmp_path_factory.mktemp("first") / "home")
    installation.path.mkdir()
    (installation.path / "postgresql.conf").write_text(QUICK)  # data of tests may be lost with the machine
    up = installation.up()
    assert up.end() == 0
    installation.quiet()
    yield installation.path, up.started_in_seconds
    installation.close()


@pytest.fixture
def installation(first_start: tuple[Path, float], tmp_path: Path) -> Iterator[Installation]:
    """An installation ready to use, with nothing in it but the admin's account."""
    subprocess.run(["cp", "-a", first_start[0], tmp_path / "home"], check=True)
    installation = Installation(tmp_path / "home")
    yield installation
    installation.close()


@pytest.fixture
def new_installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation that does not exist yet, as on the first day."""
    installation = Installation(tmp_path / "home")
    yield installation
    installation.close()
