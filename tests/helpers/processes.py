"""Looking at processes from outside, and waiting for what they do. Linux only."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path


def eventually(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until `condition` holds; fail if it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Return whether the process runs; a zombie that nobody reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def server_processes(data: Path) -> list[int]:
    """Return the pids of all processes that work in the data folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").samefile(data):
                found.append(int(entry.name))
    return found
