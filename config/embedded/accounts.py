"""Whom PostgreSQL runs as: ourselves, or, because it refuses to run as root, an unprivileged account."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.embedded.errors import AccountMissing, FolderRefused

#: Tried in this order; `postgres` is better, since `nobody` may be shared with other services.
_CANDIDATES: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The account PostgreSQL runs as; `is_other` says that a child has to change to it."""

    user_id: int
    group_id: int
    groups: tuple[int, ...]
    is_other: bool

    def process_options(self) -> dict[str, Any]:
        """Return the options that make `subprocess` start a child under this account."""
        if not self.is_other:
            return {}
        return {"user": self.user_id, "group": self.group_id, "extra_groups": list(self.groups)}

    def give(self, path: Path) -> None:
        """Make `path` belong to this account."""
        if self.is_other:
            os.chown(path, self.user_id, self.group_id)


def server_account(data: Path) -> Account:
    """Return the account that runs the cluster in `data`: its owner, for whoever may act as the owner.

    Raises: FolderRefused if the folder belongs to another user; AccountMissing if root finds no account.
    """
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner and owner.st_uid != os.geteuid():
            raise FolderRefused(
                f"{data} belongs to {_user_name(owner.st_uid)}; start Quarry as that user or set "
                "QUARRY_HOME to a folder of your own."
            )
        return Account(os.geteuid(), os.getegid(), (), is_other=False)
    if owner and owner.st_uid != 0:
        return _account(owner.st_uid, owner.st_gid)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _account(entry.pw_uid, entry.pw_gid)
    raise AccountMissing(
        f"PostgreSQL refuses to run as root and there is no account named {' or '.join(_CANDIDATES)}; "
        "make one with `useradd --system postgres`, or start Quarry as an ordinary user."
    )


def _account(user_id: int, group_id: int) -> Account:
    try:
        groups = tuple(os.getgrouplist(pwd.getpwuid(user_id).pw_name, group_id))
    except KeyError:
        groups = (group_id,)
    return Account(user_id, group_id, groups, is_other=True)


def _user_name(user_id: int) -> str:
    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"user {user_id}"
