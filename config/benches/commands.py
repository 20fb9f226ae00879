"""Running this product's own commands as processes of their own, as an operator would, and what they cost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from config.benches.process_memory import MemoryWatch
from config.demo.scratch_home import clean_environment
from config.environment.env import CHECKOUT
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


def command_run(
    arguments: Sequence[str],
    changes: Mapping[str, str] | None = None,
    *,
    accepted: Collection[int] = (0,),
    watch: MemoryWatch | None = None,
) -> Ran:
    """Run `manage.py …` with `--json` to its end, in this bench's home, and return its reply and its cost.

    changes: environment variables that differ from the bench's own. accepted: exit codes that do not count as failure.
    Raises: CommandFailed.
    """
    name = f"manage.py {' '.join(arguments)}"
    text, cost = _run([*command_line(*arguments), "--json"], name, changes or {}, accepted, watch)
    return Ran(json.loads(text), *cost)


def python_run(code: str, *, watch: MemoryWatch | None = None) -> None:
    """Run Python code in a process of its own with this bench's settings. Raises: CommandFailed."""
    _run([sys.executable, "-c", code], "python -c", {"DJANGO_SETTINGS_MODULE": "config.settings"}, (0,), watch)


def _run(
    command: list[str], name: str, changes: Mapping[str, str], accepted: Collection[int], watch: MemoryWatch | None
) -> tuple[str, tuple[float, float, float]]:
    """Return what the process printed, and its seconds, CPU seconds and peak MiB."""
    began = time.monotonic()
    child = subprocess.Popen(  # noqa: S603  our own command
        command,
        cwd=CHECKOUT,
        env=clean_environment(settings.QUARRY.home, changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    with child.stdout, watch.during(child.pid) if watch else nullcontext():
        text = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)  # not `child.wait`: this returns the cost of this one process
    seconds = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in accepted:
        raise CommandFailed(f"{name} ended with code {child.returncode}; it said why above. {text[:300]}")
    return text, (seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
