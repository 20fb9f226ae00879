"""How far the memory of this process grows: its peak (VmHWM) beyond what it had. Linux only."""

from pathlib import Path

_PROCESS = Path("/proc/self")


class Memory:
    """Begins with the memory the process has now; its earlier peak is forgotten, so that it can hide nothing."""

    def __init__(self) -> None:
        (_PROCESS / "clear_refs").write_text("5")  # resets VmHWM to VmRSS, see proc(5)
        self._before_mb = _status_mb("VmHWM")

    def growth_mb(self) -> float:
        """Return the MiB by which the peak since the beginning exceeds what there was."""
        return _status_mb("VmHWM") - self._before_mb


def _status_mb(name: str) -> float:
    for line in (_PROCESS / "status").read_text().splitlines():
        label, _, rest = line.partition(":")
        if label == name:
            return int(rest.split()[0]) / 1024
    raise LookupError(f"{_PROCESS}/status has no {name}")
