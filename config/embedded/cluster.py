"""The cluster on disk: made whole or not at all, checked, and configured anew at each start.

As root, PostgreSQL runs under another account, while the home may lie below a folder that is closed to it,
such as root's own. The data stays in the home all the same, so that it lies where backups and volumes expect
it: the child is started inside the data folder and names it `/proc/self/cwd`, a path for which the kernel
checks none of the parents. The supervisor, being root, uses the true path.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.embedded.accounts import Account
from config.embedded.binaries import Binaries
from config.embedded.errors import FolderRefused, StartFailed, disk_full, refusal
from config.embedded.sockets import PORT

SUPERUSER: Final = "quarry"
DATABASE: Final = "quarry"
NO_SPACE: Final = "No space left on device"
_INITDB_TIMEOUT_SECONDS: Final = 300

#: For a small machine shared with crawler, embedder and web server. Durability is PostgreSQL's default:
#: fsync and synchronous_commit stay on. Replication is off, which also keeps bulk loads out of the WAL.
_SETTINGS: Final = """\
# Written at every start; put your own settings into postgresql.conf in QUARRY_HOME.
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket_folder}'
unix_socket_permissions = 0700
max_connections = 60
shared_buffers = 256MB
effective_cache_size = 1GB
work_mem = 8MB
maintenance_work_mem = 64MB
random_page_cost = 1.1
jit = off
max_parallel_workers_per_gather = 0
max_parallel_maintenance_workers = 0
wal_level = minimal
max_wal_senders = 0
min_wal_size = 80MB
max_wal_size = 512MB
checkpoint_timeout = 10min
log_min_messages = warning
log_checkpoints = off
log_line_prefix = '%m [%p] '
timezone = 'UTC'
log_timezone = 'UTC'
"""
_ACCESS: Final = "# Only the socket, whose folder is private.\nlocal all all trust\n"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster in `folder/data`, the programs that serve it and the account they run as."""

    folder: Path
    binaries: Binaries
    account: Account

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def prepare(self, socket_folder: Path) -> None:
        """Make the cluster if there is none, refuse a foreign one, and write its configuration.

        Raises: FolderRefused, DiskFull, StartFailed (when `initdb` fails).
        """
        try:
            if not self.data.exists() or not any(self.data.iterdir()):
                self._create()
            self._check_version()
            self._configure(socket_folder)
        except OSError as error:
            raise refusal(error, self.data) from error

    def process_options(self, data: Path | None = None) -> dict[str, Any]:
        """Return the `subprocess` options of a child that works on the data folder."""
        return {
            "cwd": data or self.data,
            # A clean environment: PGDATA, PGOPTIONS and the like, meant for other servers, change nothing.
            "env": {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/local/bin:/usr/bin:/bin"},
            "stdin": subprocess.DEVNULL,
            **self.account.process_options(),
        }

    def data_argument(self, data: Path | None = None) -> str:
        """Return the data folder's name as the child can reach it."""
        return "/proc/self/cwd" if self.account.is_other else str(data or self.data)

    def _create(self) -> None:
        """Run `initdb` in a draft and rename it; a draft that a crash left behind is removed first."""
        draft = self.folder / "data.new"
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        self.account.give(draft)
        self._run_initdb(draft)
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\ninclude = 'quarry.conf'\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.data)
        _sync_folder(self.folder)

    def _run_initdb(self, draft: Path) -> None:
        command = [
            self.binaries.program("initdb"),
            f"--pgdata={self.data_argument(draft)}",
            f"--username={SUPERUSER}",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-instructions",
            *self._locale_arguments(),
        ]
        answer = subprocess.run(  # noqa: S603 - our own command line
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=_INITDB_TIMEOUT_SECONDS,
            check=False,
            **self.process_options(draft),
        )
        if answer.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            if NO_SPACE in answer.stderr:
                raise disk_full(self.folder)
            raise StartFailed(
                f"PostgreSQL's initdb failed in {draft}; correct what it says and start again: {answer.stderr.strip()}"
            )

    def _locale_arguments(self) -> list[str]:
        """Sort by code point and map case by Unicode, whatever locales the machine has."""
        if self.binaries.major >= 17:
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _check_version(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise FolderRefused(
                f"{self.data} is not empty but holds no PostgreSQL cluster; restore it from a backup, or "
                "move it away to start with an empty one."
            ) from error
        if found != str(self.binaries.major):
            raise FolderRefused(
                f"{self.data} was made by PostgreSQL {found} and these programs are PostgreSQL "
                f"{self.binaries.major}; export it with pg_dump of version {found} and move the folder away, "
                f"then start Quarry and import the dump with psql, or run Quarry with PostgreSQL {found}."
            )

    def _configure(self, socket_folder: Path) -> None:
        """Write our settings, then the operator's, so that the latter win."""
        own = self.folder.parent / "postgresql.conf"
        settings = _SETTINGS.format(port=PORT, socket_folder=socket_folder)
        if own.exists():
            settings += f"\n# From {own}\n{own.read_text(encoding='utf-8')}"
        for name, text in (("quarry.conf", settings), ("pg_hba.conf", _ACCESS)):
            draft = self.data / f"{name}.new"
            draft.write_text(text, encoding="utf-8")
            draft.chmod(0o600)
            self.account.give(draft)
            draft.replace(self.data / name)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
