"""How far the memory of a process grows: its peak (VmHWM) beyond what it had. Linux only."""

from pathlib import Path


class Memory:
    """Begins with the memory the process has now; its earlier peak is forgotten, so that it can hide nothing."""

    def __init__(self, process_id: int) -> None:
        self._process = Path(f"/proc/{process_id}")
        (self._process / "clear_refs").write_text("5")  # resets VmHWM to VmRSS, see proc(5)
        self._before_mb = self._status_mb("VmHWM")

    def growth_mb(self) -> float:
        """Return the MiB by which the peak since the beginning exceeds what there was."""
        return self._status_mb("VmHWM") - self._before_mb

    def _status_mb(self, name: str) -> float:
        for line in (self._process / "status").read_text().splitlines():
            label, _, rest = line.partition(":")
            if label == name:
                return int(rest.split()[0]) / 1024
        raise LookupError(f"{self._process}/status has no {name}")
