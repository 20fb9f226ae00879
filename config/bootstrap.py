"""Builds the virtual environment `.venv` from the lock files; `make` runs it before every command.

Standard library only, and readable by any Python since 3.7, so that an old one can still look for a
suitable one and say what is missing. Nothing is written to stdout.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, NamedTuple  # noqa: UP035 - Python 3.7 and 3.8 must be able to read this file

CHECKOUT = Path(__file__).resolve().parent.parent
LOWEST, HIGHEST = (3, 11), (3, 13)  #: between these every dependency has a ready-made wheel
BUILD_LOCK, MAIN_LOCK, DEV_LOCK = "requirements-build.lock", "requirements.lock", "requirements-dev.lock"
LOCKS = {"main": (BUILD_LOCK, MAIN_LOCK), "dev": (BUILD_LOCK, MAIN_LOCK, DEV_LOCK)}
NAMES = ("python3", "python3.13", "python3.12", "python3.11", "python3.14", "python3.15", "python")
#: Would send packages elsewhere, or let in others than the locked ones.
DROPPED = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP")
PROBE = """
import importlib.util as u, sys
pip = 0
if u.find_spec("pip"):
    import pip
    pip = tuple(int(part) for part in pip.__version__.split(".")[:2]) >= (22, 3)
fits = u.find_spec("ensurepip") and u.find_spec("venv")
print(*sys.version_info[:3], int(bool(fits)), int(bool(pip and u.find_spec("venv"))))
"""


class Refusal(Exception):
    """What is in the way, as one sentence that ends with the remedy."""


class Python(NamedTuple):
    """A Python that runs on this machine."""

    path: str
    version: tuple[int, int, int]  # (major, minor, micro)
    has_venv: bool  # can make a complete virtual environment
    has_pip: bool  # can make one without pip and install into it with its own pip (22.3 or newer)

    @property
    def release(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))

    @property
    def rank(self) -> int:
        """How well it suits: 0 best; 4 and more not at all."""
        if self.version[:2] < LOWEST:
            return 5
        if not (self.has_venv or self.has_pip):
            return 4
        return 2 * (self.version[:2] > HIGHEST) + (not self.has_venv)


def python_probe(path: str) -> Iterator[Python]:
    """Yield the Python at `path`, or nothing if it does not run (a pyenv shim may name an inactive one)."""
    try:
        answer = subprocess.run(  # noqa: S603 - a Python of the user's own search path
            [path, "-I", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return
    words = answer.stdout.split()
    if answer.returncode == 0 and len(words) == 5:
        major, minor, micro, has_venv, has_pip = (int(word) for word in words)
        yield Python(path, (major, minor, micro), bool(has_venv), bool(has_pip))


def pythons_found() -> Iterator[Python]:
    """Yield every Python of the search path, then those that pyenv keeps outside of it."""
    for folder in map(Path, os.get_exec_path()):
        for name in NAMES:
            if os.access(folder / name, os.X_OK) and not (folder / name).is_dir():
                yield from python_probe(str(folder / name))
    with contextlib.suppress(RuntimeError):  # no home folder
        root = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
        for path in sorted(root.glob("versions/3.1[1-9]*/bin/python3")):
            yield from python_probe(str(path))


def python_choose(wanted: str) -> Python:
    """Return the Python to build with: `wanted` if it is named, else the first of the best rank.

    Raises: Refusal if none will do.
    """
    found: list[Python] = []
    for python in python_probe(shutil.which(wanted) or wanted) if wanted else pythons_found():
        if python.rank == 0:
            return python
        found.append(python)
    best = min(found, key=lambda python: python.rank, default=None)
    if best is not None and best.rank < 4:
        return best
    raise Refusal(_missing_python(wanted, best))


def _missing_python(wanted: str, best: Python | None) -> str:
    if best is not None and best.rank == 4:
        name = "python{}.{}".format(*best.version)
        is_debian = Path("/etc/debian_version").exists()
        remedy = f"run `apt install {name}-venv` as root" if is_debian else "install them"
        return f"{best.path} lacks the modules venv and ensurepip: {remedy}, then run make again."
    if wanted:
        what = f"is Python {best.release}" if best else "does not run"
        return f"PYTHON={wanted} {what}: name a Python 3.11, 3.12 or 3.13, or leave PYTHON out."
    seen = f"only Python {best.release} ({best.path})" if best else "none"
    return (
        f"Quarry needs Python 3.11, 3.12 or 3.13, but {seen} was found: install one (such as "
        "`apt install python3.11 python3.11-venv` or `brew install python@3.13`) or name one with "
        "PYTHON=/path/to/python3.12."
    )


def lock_digest(checkout: Path, *names: str) -> str:
    """Return one SHA-256, in hexadecimal, over the named lock files."""
    return hashlib.sha256(b"".join((checkout / name).read_bytes() for name in names)).hexdigest()


class Environment:
    """The virtual environment of one checkout; the stamp in it says which lock files it satisfies."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.folder = checkout / ".venv"
        self.python = self.folder / "bin" / "python"
        self.stamp = self.folder / "installed"  # absent while work is under way: a killed set-up is seen as such
        self.lines = {group: f"{group} {lock_digest(checkout, *names)}" for group, names in LOCKS.items()}

    def is_whole(self, named_python: str) -> bool:
        """Whether the last set-up ended well and its Python still runs and has the version asked for."""
        inside = next(python_probe(str(self.python)), None) if self.stamp.is_file() else None
        if inside is None or not named_python:
            return inside is not None
        return python_choose(named_python).version[:2] == inside.version[:2]

    def is_ready(self, named_python: str, *, is_dev: bool) -> bool:
        """Whether it is whole and what is asked for is installed exactly as locked; "dev" includes "main"."""
        wanted = {self.lines["dev"]} if is_dev else set(self.lines.values())
        return self.is_whole(named_python) and not wanted.isdisjoint(self.stamp.read_text().splitlines())

    def remake(self, python: Python) -> None:
        """Empty the folder and make a bare environment in it. Raises: Refusal if that fails."""
        without_pip = [] if python.has_venv else ["--without-pip"]
        self._run([python.path, "-I", "-m", "venv", "--clear", *without_pip, str(self.folder)], python)

    def install(self, python: Python, *, is_dev: bool) -> None:
        """Install what the lock files name, then write the stamp. Raises: Refusal if pip fails."""
        if self.stamp.exists():
            self.stamp.unlink()
        pip = ["-I", "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-compile", "--no-user"]
        # Complete locks need no resolving; compiling everything would add 13 s to 40.
        pip += ["--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        inside = [str(self.python)]
        first = [*inside, *pip] if python.has_venv else [python.path, *pip[:3], "--python", *inside, *pip[3:]]
        self._run([*first, "--only-binary", ":all:", "-r", BUILD_LOCK], python)
        # Not isolated: source packages are built with the locked tools, not with whatever is newest.
        locks = ["-r", MAIN_LOCK] + (["-r", DEV_LOCK] if is_dev else [])
        self._run([*inside, *pip, "--use-pep517", "--no-build-isolation", *locks], python)
        draft = self.stamp.with_suffix(".draft")
        draft.write_text("\n".join(self.lines.values() if is_dev else [self.lines["main"]]))
        draft.replace(self.stamp)

    def _run(self, command: list[str], python: Python) -> None:
        """Run venv or pip, showing progress on a terminal and its last lines if it fails. Raises: Refusal."""
        clean = {name: value for name, value in os.environ.items() if name not in DROPPED}
        lines, packages = [], 0
        with subprocess.Popen(  # noqa: S603 - our own venv and pip command lines
            command,
            cwd=str(self.checkout),
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            close_fds=False,  # the child keeps the lock
        ) as child:
            for line in child.stdout or ():
                lines.append(line.rstrip())
                packages += line.startswith("Collecting ")
                if sys.stderr.isatty():
                    sys.stderr.write(f"\r\033[K  {packages} packages  {line.strip()[:60]}")
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
        if child.returncode:
            shown = [line for line in lines if line and not line.startswith("WARNING: ")][-4:]
            sys.stderr.write("".join(f"  {line[:200]}\n" for line in shown))
            raise Refusal(remedy_for("\n".join(lines), folder=self.folder, release=python.release))


#: What pip, venv and the system say, and what to do about it; the first that matches counts.
REMEDIES = {
    "No space left|Errno 28|Disk quota exceeded": (
        "The disk is full: free about 1 GB for {folder} (and for TMPDIR), then run make again."
    ),
    "DO NOT MATCH THE HASHES": (
        "A downloaded package is not the one that was locked: run make again, or use another mirror."
    ),
    "Permission denied|Errno 13|Read-only file system|Errno 30|not permitted": (
        "{folder} cannot be written: make it writable for your user, or remove it, then run make again."
    ),
    "NewConnectionError|NameResolutionError|name resolution|Connection (refused|reset|aborted)|timed out|"
    "ConnectTimeout|ReadTimeout|ProxyError|SSLError|CERTIFICATE_|unreachable|IncompleteRead|HTTP ?[Ee]rror": (
        "The package index cannot be reached: check the network (HTTPS_PROXY names a proxy, PIP_INDEX_URL a "
        "mirror), then run make again."
    ),
    "No matching distribution|Failed building wheel|[Ff]ailed to build|gcc": (
        "A package has no ready-made wheel for Python {version} here: use Python 3.11, 3.12 or 3.13, or "
        "install a C compiler and the Python headers, then run make again."
    ),
}


def remedy_for(output: str, *, folder: Path, release: str) -> str:
    """Return the sentence that says what the failed command's `output` means and what to do."""
    if shutil.disk_usage(str(folder.parent)).free < 50_000_000:
        output = "No space left"  # ensurepip keeps its reason to itself
    for pattern, sentence in REMEDIES.items():
        if re.search(pattern, output):
            return sentence.format(folder=folder, version=release)
    return "The set-up failed for the reason above: remove it, then run make again (a broken .venv is rebuilt)."


@contextlib.contextmanager
def checkout_locked(checkout: Path) -> Iterator[None]:
    """Keep out other set-ups of this checkout, and wait for one under way.

    The lock lies on the folder itself, so it leaves no file behind. Children inherit it: while the pip of a
    killed set-up still writes, nobody else starts.
    """
    handle = os.open(str(checkout), os.O_RDONLY)
    os.set_inheritable(handle, True)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("Waiting for another make that is setting up .venv ...\n")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def environment_prepare(checkout: Path, *, is_dev: bool, named_python: str) -> None:
    """Bring `.venv` to what the lock files say, or leave it alone if it is so. Raises: Refusal."""
    environment = Environment(checkout)
    if environment.is_ready(named_python, is_dev=is_dev):
        return
    with checkout_locked(checkout):
        if environment.is_ready(named_python, is_dev=is_dev):  # the one we waited for did it
            return
        python = python_choose(named_python)
        sys.stderr.write(f"Setting up .venv with Python {python.release}; this takes about a minute.\n")
        if not environment.is_whole(named_python):
            environment.remake(python)
        environment.install(python, is_dev=is_dev)


def main() -> int:
    """Prepare the environment; return 0, or 1 after one sentence on stderr."""
    parser = argparse.ArgumentParser(description="Builds the virtual environment .venv from the lock files.")
    parser.add_argument("--dev", action="store_true", help="with the tools for tests and checks")
    parser.add_argument("--python", default="", help="the Python to build with; empty: look for one")
    parser.add_argument("--checkout", default=str(CHECKOUT), help="the folder that holds the lock files")
    options = parser.parse_args()
    checkout = Path(options.checkout)
    try:
        environment_prepare(checkout, is_dev=options.dev, named_python=options.python)
    except Refusal as refusal:
        sys.stderr.write(f"{refusal}\n")
        return 1
    except OSError as error:
        remedy = remedy_for(str(error), folder=checkout, release=sys.version.split()[0])
        sys.stderr.write(f"  {error}\n{remedy}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
