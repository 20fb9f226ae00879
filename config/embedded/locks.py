"""Advisory locks on files: they vanish with their last holder, whatever killed it."""

import fcntl
import os
import time
from pathlib import Path


def open_lock(path: Path) -> int:
    """Return a descriptor of the lock file, made if need be; closed on exec, shared with forked children.

    A file made by root belongs to the folder's owner, so that the owner is not locked out later.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def try_shared(descriptor: int) -> bool:
    """Take the shared lock if no one holds it exclusively; return whether it was taken."""
    return _try(descriptor, fcntl.LOCK_SH)


def try_exclusive(descriptor: int) -> bool:
    """Take the lock alone if no one else holds it; return whether it was taken."""
    return _try(descriptor, fcntl.LOCK_EX)


def try_exclusive_for(descriptor: int, *, seconds: float) -> bool:
    """Try to take the lock alone for so many seconds; return whether it was taken."""
    deadline = time.monotonic() + seconds
    while not try_exclusive(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def unlock(descriptor: int) -> None:
    """Give the lock back; the descriptor stays open."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def is_still(descriptor: int, path: Path) -> bool:
    """Return whether `path` still names the open file: false after the folder was removed or replaced."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _try(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
