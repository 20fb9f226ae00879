"""The set-up of the virtual environment, decided with stand-ins for python that record what they are asked.

Every test runs the real script in a process of its own; nothing is downloaded.
"""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "config" / "bootstrap.py"
LOCKS = ("requirements-build.lock", "requirements.lock", "requirements-dev.lock")

#: Answers as a Python would; `-m venv` makes an environment that holds a copy of the stand-in.
STAND_IN = """#!/bin/sh
echo "$0 $*" >> "{log}"
case "$*" in
    *importlib*) echo "{answer}" ;;
    *"-m venv"*) for last in "$@"; do :; done
                 rm -rf "$last"; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
    *"-m pip"*) {pip} ;;
esac
"""
READY = "3.12.4 1 1"


class Bench:
    """A checkout with lock files, a search path of its own, and stand-ins to put on it."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "check out"
        self.path = folder / "bin"
        self.home = folder / "home"
        self.log = folder / "log"
        for made in (self.checkout, self.path, self.home):
            made.mkdir()
        for name in LOCKS:
            (self.checkout / name).write_text(f"# {name}\n")

    def python(self, name: str, answer: str = READY, *, pip: str = "exit 0") -> Path:
        """Put a stand-in on the search path; `answer`: version, has venv, has pip; `pip`: what pip does."""
        version, *rest = answer.split()
        stand_in = self.path / name
        words = " ".join([*version.split("."), *rest])
        stand_in.write_text(STAND_IN.format(log=self.log, answer=words, pip=pip))
        stand_in.chmod(0o755)
        return stand_in

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-I", str(SCRIPT), "--checkout", str(self.checkout), *arguments]

    def environ(self, **more: str) -> dict[str, str]:
        return {"PATH": str(self.path), "HOME": str(self.home), "LC_ALL": "C.UTF-8", **more}

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        # rm, mkdir and cp of the stand-ins are looked up beside them.
        for tool in ("rm", "mkdir", "cp", "sleep"):
            if not (self.path / tool).exists():
                (self.path / tool).symlink_to(f"/bin/{tool}")
        command = self.command(*arguments)
        return subprocess.run(command, env=self.environ(**environ), capture_output=True, text=True, timeout=30)

    def link_tools(self) -> None:
        """Put what the stand-ins call beside them: the search path holds nothing else."""
        for tool in ("rm", "mkdir", "cp"):
            if not (self.path / tool).exists():
                (self.path / tool).symlink_to(f"/bin/{tool}")

    def calls(self, word: str) -> list[str]:
        """Return the recorded command lines that contain `word`, and forget all."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in lines if word in line]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    """Return the sentence of a refused set-up: the last line, after what pip said."""
    assert result.returncode == 1
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    sentence = result.stderr.splitlines()[-1]
    assert sentence.endswith(".")
    return sentence


def test_installs_hashed_locks_and_says_nothing_on_stdout(bench: Bench) -> None:
    bench.python("python3")
    result = bench.run()
    assert (result.returncode, result.stdout) == (0, "")
    assert "Setting up .venv with Python 3.12.4" in result.stderr
    tools, packages = bench.calls("-m pip")
    assert "--require-hashes" in tools and "-r requirements-build.lock" in tools
    assert "--require-hashes" in packages and packages.endswith("-r requirements.lock")


def test_second_run_does_nothing(bench: Bench) -> None:
    bench.python("python3")
    assert bench.run().returncode == 0
    bench.calls("")
    again = bench.run()
    assert (again.returncode, again.stderr) == (0, "")
    assert bench.calls("-m ") == []


def test_changed_lock_is_installed_into_the_same_environment(bench: Bench) -> None:
    bench.python("python3")
    bench.run()
    (bench.checkout / "requirements.lock").write_text("# newer\n")
    bench.calls("")
    assert bench.run().returncode == 0
    calls = bench.calls("-m ")
    assert [call for call in calls if "-m venv" in call] == []
    assert len([call for call in calls if "-m pip" in call]) == 2


def test_development_tools_come_on_top_and_then_serve_both(bench: Bench) -> None:
    bench.python("python3")
    bench.run()
    bench.calls("")
    assert bench.run("--dev").returncode == 0
    assert bench.calls("-m pip")[-1].endswith("-r requirements.lock -r requirements-dev.lock")
    assert bench.run().stderr == ""
    (bench.checkout / "requirements-dev.lock").write_text("# newer\n")
    assert bench.run().returncode == 0
    bench.calls("")
    bench.run("--dev")
    assert len(bench.calls("-m pip")) == 2


@pytest.mark.parametrize("damage", ["no stamp", "python gone", "python broken"])
def test_half_built_environment_is_made_anew(bench: Bench, damage: str) -> None:
    bench.python("python3")
    bench.run()
    inside = bench.checkout / ".venv" / "bin" / "python"
    if damage == "no stamp":
        (bench.checkout / ".venv" / "installed").unlink()
    elif damage == "python gone":
        inside.unlink()
    else:
        inside.write_text("#!/bin/sh\nexit 1\n")
    bench.calls("")
    assert bench.run().returncode == 0
    assert len(bench.calls("-m venv")) == 1
    assert bench.run().stderr == ""


def test_failed_install_leaves_no_stamp(bench: Bench) -> None:
    bench.python("python3", pip="exit 1")
    assert bench.run().returncode == 1
    bench.python("python3")
    bench.calls("")
    assert bench.run().returncode == 0
    assert len(bench.calls("-m venv")) == 1


def test_newer_name_is_taken_when_python3_is_old(bench: Bench) -> None:
    bench.python("python3", "3.8.18 1 1")
    good = bench.python("python3.12", "3.12.1 1 1")
    assert bench.run().returncode == 0
    assert bench.calls("-m venv")[0].startswith(f"{good} ")


def test_shim_that_does_not_run_is_passed_over(bench: Bench) -> None:
    (bench.path / "python3").write_text("#!/bin/sh\necho 'not active' >&2\nexit 127\n")
    (bench.path / "python3").chmod(0o755)
    bench.python("python3.11", "3.11.2 1 1")
    assert bench.run().returncode == 0


def test_python_beyond_the_wheels_is_the_last_resort(bench: Bench) -> None:
    newest = bench.python("python3", "3.14.0 1 1")
    good = bench.python("python3.13", "3.13.0 1 1")
    bench.run()
    assert bench.calls("-m venv")[0].startswith(f"{good} ")
    good.unlink()
    (bench.checkout / ".venv" / "installed").unlink()
    assert bench.run().returncode == 0
    assert bench.calls("-m venv")[0].startswith(f"{newest} ")


def test_only_old_python_is_refused_with_its_version(bench: Bench) -> None:
    bench.python("python3", "3.9.18 1 1")
    sentence = refusal(bench.run())
    assert "3.9.18" in sentence and "3.11" in sentence and "PYTHON=" in sentence
    assert not (bench.checkout / ".venv").exists()


def test_no_python_on_the_path(bench: Bench) -> None:
    assert "none was found" in refusal(bench.run())


def test_python_without_venv_names_the_package(bench: Bench) -> None:
    bench.python("python3", "3.11.2 0 0")
    sentence = refusal(bench.run())
    assert "venv and ensurepip" in sentence
    assert ("apt install python3.11-venv" in sentence) == Path("/etc/debian_version").exists()


def test_python_without_ensurepip_lends_its_own_pip(bench: Bench) -> None:
    outside = bench.python("python3", "3.11.2 0 1")
    assert bench.run().returncode == 0
    calls = bench.calls("-m ")
    assert "--without-pip" in calls[0]
    assert calls[1].startswith(f"{outside} ") and "--python" in calls[1]
    assert calls[2].startswith(str(bench.checkout / ".venv" / "bin" / "python"))


def test_named_python_counts_alone(bench: Bench) -> None:
    bench.python("python3")
    old = bench.python("old", "3.10.1 1 1")
    assert f"PYTHON={old} is Python 3.10.1" in refusal(bench.run("--python", str(old)))
    assert "PYTHON=nowhere does not run" in refusal(bench.run("--python", "nowhere"))


def test_naming_another_version_makes_the_environment_anew(bench: Bench) -> None:
    bench.python("python3")
    bench.run()
    other = bench.python("other", "3.13.0 1 1")
    bench.calls("")
    assert bench.run("--python", "other").returncode == 0
    assert bench.calls("-m venv")[0].startswith(f"{other} ")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.",
            "not the one that was locked",
        ),
        ("NewConnectionError: Temporary failure in name resolution", "check the network"),
        ("ERROR: No matching distribution found for wordllama==0.4", "no ready-made wheel for Python 3.12.4"),
        ("OSError: [Errno 13] Permission denied: x", "cannot be written"),
        ("something never seen", "for the reason above"),
    ],
)
def test_failure_shows_what_pip_said_and_one_remedy(bench: Bench, said: str, remedy: str) -> None:
    bench.python("python3", pip=f"echo '{said}'; exit 1")
    result = bench.run()
    assert remedy in refusal(result)
    assert f"  {said}\n" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_checkout_is_refused(bench: Bench) -> None:
    bench.python("python3")
    bench.checkout.chmod(0o555)
    try:
        assert "cannot be written" in refusal(bench.run())
    finally:
        bench.checkout.chmod(0o755)


def test_unsuitable_settings_do_not_reach_pip(bench: Bench) -> None:
    bench.python("python3", pip='[ -z "$PIP_TARGET$PIP_USER$PYTHONPATH" ]')
    assert bench.run(PIP_TARGET="/elsewhere", PIP_USER="1", PYTHONPATH="/elsewhere").returncode == 0


def test_two_set_ups_at_once_do_the_work_once(bench: Bench) -> None:
    bench.python("python3")
    bench.link_tools()
    handle = os.open(bench.checkout, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    two = [subprocess.Popen(bench.command(), env=bench.environ(), stderr=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = [process.stderr.readline() for process in two if process.stderr]
    finally:
        os.close(handle)
    said += [process.communicate(timeout=30)[1] for process in two]
    assert [process.returncode for process in two] == [0, 0]
    assert sum("Waiting for another make" in text for text in said) == 2
    assert sum("Setting up" in text for text in said) == 1
    assert len(bench.calls("-m pip")) == 2


def test_lock_files_hold_versions_and_hashes_only() -> None:
    found = sorted(SCRIPT.parents[1].glob("requirements*.lock"))
    assert {path.name for path in found} >= set(LOCKS)
    for path in found:
        text = path.read_text()
        assert "://" not in text and "--index" not in text and "find-links" not in text
        for line in text.splitlines():
            assert "==" in line or line.strip().startswith("--hash=sha256:"), line
