"""The memory of another process is its own: not that of the process that started it, and files counted apart."""

import subprocess
import sys
from pathlib import Path

import pytest

from config.benches.process_memory import MemoryWatch, memory_read

MEGABYTE = 2**20
HOLD = "import sys; kept = bytearray({bytes}); kept[::4096] = b'x' * len(kept[::4096]); print('held', flush=True); "
WAIT = "sys.stdin.read()"

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux has /proc")


def watched(code: str) -> MemoryWatch:
    """Watch a process that runs `code` until it has said something and its memory was looked at since."""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    watch = MemoryWatch()
    assert child.stdin and child.stdout
    with watch.during(child.pid):
        child.stdout.readline()
        held = memory_read(Path(f"/proc/{child.pid}/status"))["RssAnon"]
        while watch.peak_anonymous_mb < held * 0.99 and child.poll() is None:
            pass
        child.stdin.close()
        child.wait(30)
    child.stdout.close()
    return watch


def test_what_a_process_holds_is_seen_and_its_parent_s_is_not() -> None:
    parents = bytearray(400 * MEGABYTE)
    parents[::4096] = b"x" * len(parents[::4096])
    small, large = (watched(HOLD.format(bytes=size * MEGABYTE) + WAIT) for size in (1, 101))
    assert 95 < large.peak_anonymous_mb - small.peak_anonymous_mb < 105
    assert large.peak_anonymous_mb <= large.peak_rss_mb < 300 < len(parents) / MEGABYTE


def test_a_mapped_file_is_resident_but_not_anonymous(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100 * MEGABYTE)
    read = f"import mmap; file = open({str(tmp_path / 'file')!r}, 'rb'); "
    read += "seen = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ); total = sum(seen[::4096]); "
    plain, mapped = watched(HOLD.format(bytes=1) + WAIT), watched(read + HOLD.format(bytes=1) + WAIT)
    assert mapped.peak_rss_mb - plain.peak_rss_mb > 95
    assert mapped.peak_anonymous_mb - plain.peak_anonymous_mb < 20


def test_a_process_that_ended_has_no_memory() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    status = Path(f"/proc/{child.pid}/status")
    child.wait(30)
    assert memory_read(status) == {}
