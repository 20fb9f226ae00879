"""How much memory another process takes: looked up in /proc while it runs. Linux only.

The peak that `wait4` reports for a child includes its parent's before the `exec`, which here is the larger one.
"""

import threading
from pathlib import Path
from types import TracebackType

LOOK_SECONDS = 0.02


class MemoryWatch:
    """The peaks of a process, in MiB, once `during(pid)` has ended.

    peak_rss_mb: all of it that lies in memory, mapped files included. peak_anonymous_mb: without those.
    """

    def __init__(self) -> None:
        self.peak_rss_mb = 0.0
        self.peak_anonymous_mb = 0.0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def during(self, pid: int) -> "MemoryWatch":
        """Return this watch, which looks at the process for as long as the context is open."""
        status = Path(f"/proc/{pid}/status")
        self._thread = threading.Thread(target=self._look, args=(status,), name="memory-watch", daemon=True)
        return self

    def __enter__(self) -> None:
        assert self._thread is not None, "during() was not called"
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None
        self._ended.set()
        self._thread.join()

    def _look(self, status: Path) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            sizes = memory_read(status)
            self.peak_rss_mb = max(self.peak_rss_mb, sizes.get("VmHWM", 0.0))
            self.peak_anonymous_mb = max(self.peak_anonymous_mb, sizes.get("RssAnon", 0.0))


def memory_read(status: Path) -> dict[str, float]:
    """Return the sizes in a process's status file, name → MiB; nothing once the process has ended."""
    try:
        lines = status.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    named = (line.partition(":") for line in lines if line.endswith(" kB"))
    return {name: int(rest.split()[0]) / 1024 for name, _, rest in named}
