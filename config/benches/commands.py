"""Running this product's own commands as processes of their own, as an operator would, and what they cost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from config.env import CHECKOUT
from config.own_home import clean_environment
from jobs.errors import QuarryError


class CommandFailed(QuarryError):
    """A command that a bench runs has failed"""

    code = "bench_command_failed"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command printed as JSON, and what the process cost; peak_rss_mb in MiB, without PostgreSQL's."""

    reply: dict[str, Any]
    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


def command_line(*arguments: str) -> list[str]:
    """Return the words that run `manage.py` with the interpreter of this process."""
    return [sys.executable, str(CHECKOUT / "manage.py"), *arguments]


def command_run(arguments: Sequence[str], changes: Mapping[str, str] | None = None) -> Ran:
    """Run `manage.py …` with `--json` to its end, in this bench's home, and return its reply and its cost.

    changes: environment variables that differ from the bench's own. Raises: CommandFailed.
    """
    began = time.monotonic()
    child = subprocess.Popen(  # noqa: S603  our own command
        [*command_line(*arguments), "--json"],
        env=clean_environment(settings.QUARRY.home, changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout:
        text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)  # not `child.wait`: this tells the cost of this one process
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise CommandFailed(
            f"manage.py {' '.join(arguments)} ended with code {child.returncode}; it said why above. {text[:300]}"
        )
    return Ran(json.loads(text), seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
