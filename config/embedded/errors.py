"""What can go wrong with the embedded PostgreSQL; every message is a sentence that names the remedy."""

import errno
from pathlib import Path


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot be used."""


class BinariesMissing(EmbeddedError):
    """No PostgreSQL binaries were found."""


class FolderRefused(EmbeddedError):
    """The data folder cannot be used: not writable, foreign, half-deleted, or of another major version."""


class DiskFull(EmbeddedError):
    """No space is left where the data lies."""


class SocketRefused(EmbeddedError):
    """No folder for the socket: its path is too long or belongs to somebody else."""


class AccountMissing(EmbeddedError):
    """Root has no unprivileged account to run PostgreSQL as."""


class StartFailed(EmbeddedError):
    """PostgreSQL did not start, or not in time."""


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
