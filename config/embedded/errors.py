"""What can go wrong with the embedded PostgreSQL; every message is a sentence that names the remedy."""

import errno
from pathlib import Path

from jobs.errors import QuarryError


class EmbeddedError(QuarryError):
    """The embedded PostgreSQL cannot be used."""

    code = "embedded"


class BinariesMissing(EmbeddedError):
    """No PostgreSQL binaries were found."""

    code = "binaries_missing"


class FolderRefused(EmbeddedError):
    """The data folder cannot be used: not writable, foreign, half-deleted, or of another major version."""

    code = "folder_refused"


class DiskFull(EmbeddedError):
    """No space is left where the data lies."""

    code = "disk_full"


class SocketRefused(EmbeddedError):
    """No folder for the socket: its path is too long or belongs to somebody else."""

    code = "socket_refused"


class AccountMissing(EmbeddedError):
    """Root has no unprivileged account to run PostgreSQL as."""

    code = "account_missing"


class StartFailed(EmbeddedError):
    """PostgreSQL did not start, or not in time."""

    code = "start_failed"


ERRORS = {
    kind.__name__: kind
    for kind in (BinariesMissing, FolderRefused, DiskFull, SocketRefused, AccountMissing, StartFailed)
}


def refusal(error: OSError, path: Path) -> EmbeddedError:
    """Return the typed error for an operating system's error about `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(path)
    return FolderRefused(
        f"{error.filename or path} cannot be used ({error.strerror}); make it writable for this user or "
        "set QUARRY_HOME to a folder that is."
    )


def disk_full(path: Path) -> DiskFull:
    """Return the error for a full disk below `path`."""
    return DiskFull(f"No space is left on the disk that holds {path}; free some and start again.")
