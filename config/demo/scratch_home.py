"""Running a command in a data folder of its own, free of the operator's settings: what `demo` and `bench` share."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from config.embedded import locks
from config.environment.env import CHECKOUT, VARIABLES
from jobs.errors import Conflict

STOP_SECONDS = 30.0
_MARK = "QUARRY_OWN_HOME"

#: What a site on this machine needs to be crawled without waiting.
LOOPBACK = {"CRAWL_ALLOW_NETWORKS": "127.0.0.0/8", "CRAWL_DELAY_SECONDS": "0", "CRAWL_CONCURRENCY": "8"}


def is_entered() -> bool:
    """Return whether this process runs in a home of its own already."""
    return os.environ.get(_MARK) == "1"


def home_enter(home: Path) -> NoReturn:
    """Clear `home` and run this very command again, there. Raises: Conflict when another process uses it."""
    folder_clear(home)
    environment = {**clean_environment(home), _MARK: "1"}
    # A new process image: the settings are read once, and they are others now.
    os.execve(sys.executable, [sys.executable, str(CHECKOUT / "manage.py"), *sys.argv[1:]], environment)  # noqa: S606


def clean_environment(home: Path, changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process that works in `home`, whatever the operator's settings and `.env` say.

    Only LOG_LEVEL is heeded. changes: settings that differ from their defaults.
    """
    environment = dict(os.environ)
    for variable in VARIABLES:
        environment.pop(f"{variable.name}_FILE", None)
        environment[variable.name] = ""  # empty counts as unset, and hides the one in .env
    environment["LOG_LEVEL"] = os.environ.get("LOG_LEVEL") or "WARNING"
    return environment | LOOPBACK | {"QUARRY_HOME": str(home), **(changes or {})}


def folder_clear(home: Path) -> None:
    """Remove what an earlier run left, once its PostgreSQL has stopped. Raises: Conflict."""
    lock = home / "postgres" / "supervisor.lock"
    if lock.exists():
        descriptor = locks.open_lock(lock)
        if not locks.try_exclusive_for(descriptor, seconds=STOP_SECONDS):
            detail = f"Another process is using {home}; stop it with Ctrl-C and start again."
            raise Conflict(detail, code="home_in_use")
    if home.exists():
        shutil.rmtree(home)
