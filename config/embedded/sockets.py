"""The folder of the server's Unix socket: short, private, and the same for one home at every start."""

import hashlib
import os
import stat
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from config.embedded.accounts import Account
from config.embedded.errors import SocketRefused, refusal

PORT: Final = 5432
SOCKET_NAME: Final = f".s.PGSQL.{PORT}"
#: `sun_path` has 108 bytes on Linux, the last of which is the terminating zero.
MAX_PATH_BYTES: Final = 107


def make_socket_folder(folder: Path, account: Account, *, parents: Sequence[Path] | None = None) -> Path:
    """Return a private folder for the socket of the server in `folder`, made if need be and emptied.

    `parents` are the places to try, by default the temporary folder and /tmp. Only the holder of the
    supervisor's lock may call this: a socket that is left there belongs to a dead server.
    Raises: SocketRefused.
    """
    if parents is None:
        parents = (Path(tempfile.gettempdir()), Path("/tmp"))  # noqa: S108 - owner and mode are checked below
    mark = hashlib.sha256(f"{folder.resolve()}\0{account.user_id}".encode()).hexdigest()[:12]
    for parent in parents:
        place = parent / f"quarry-{mark}"
        if len(os.fsencode(place / SOCKET_NAME)) <= MAX_PATH_BYTES:
            _make_private(place, account)
            _remove_leftovers(place)
            return place
    raise SocketRefused(
        f"A socket below {' or '.join(map(str, parents))} would have a path of more than {MAX_PATH_BYTES} "
        "bytes; set TMPDIR to a shorter folder."
    )


def _make_private(place: Path, account: Account) -> None:
    """Make `place` a folder only `account` can enter; a foreign one under our name is refused, not used."""
    try:
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (account.user_id, os.geteuid()):
            raise SocketRefused(
                f"{place} belongs to somebody else, so the socket cannot be put there; remove it or set "
                "TMPDIR to another folder."
            )
        account.give(place)
        place.chmod(0o700)
    except OSError as error:
        raise refusal(error, place) from error


def _remove_leftovers(place: Path) -> None:
    for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
        (place / name).unlink(missing_ok=True)
