"""The note a supervisor leaves about its running server, and how a server is recognised.

The note is written once the server is ready and removed before another is started in its place. So whoever
reads the same note before and after an answer was answered by the server that it names. After a `kill -9` of the
supervisor the note stays behind until the next supervisor, which removes it first.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_NOTE = "server.json"


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that was ready when the note was written.

    `folder` distinguishes a note from its copy in a copied home; `system_identifier` never changes for a cluster.
    """

    folder: str
    supervisor_pid: int
    postmaster_pid: int
    socket_folder: str
    system_identifier: int


def write_note(folder: Path, server: RunningServer) -> None:
    """Replace the note in `folder` as one step."""
    draft = folder / f"{_NOTE}.new"
    draft.write_text(json.dumps(asdict(server)), encoding="ascii")
    draft.chmod(0o644)
    draft.replace(folder / _NOTE)


def read_note(folder: Path) -> RunningServer | None:
    """Return the note about the server of `folder`; none if there is none, or none that can be understood."""
    try:
        note = RunningServer(**json.loads((folder / _NOTE).read_text(encoding="ascii")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return note if note.folder == str(folder.resolve()) else None


def remove_note(folder: Path) -> None:
    """Remove the note in `folder`, if there is one."""
    (folder / _NOTE).unlink(missing_ok=True)


def system_identifier(data: Path) -> int:
    """Return the identifier `initdb` gave to the cluster in `data`.

    It is the first field of PostgreSQL's ControlFileData (src/include/catalog/pg_control.h), a uint64 in the
    machine's byte order; `SELECT system_identifier FROM pg_control_system()` gives the same number.
    """
    with (data / "global" / "pg_control").open("rb") as file:
        return int.from_bytes(file.read(8), sys.byteorder)
