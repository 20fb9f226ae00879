"""Proves that each protection is guarded by a test: take it away, and exactly that test must fail.

    python -m tests.prove               every rule
    python -m tests.prove lane leases   rules whose id begins with one of these words
    python -m tests.prove --tenth       a tenth of them, chosen at random; the seed is printed
    python -m tests.prove --tenth 4711  the tenth that this seed chooses

Each app lists its rules in `tests/<app>/protections.py` as `PROTECTIONS = [Protection(…), …]`. The program
works on two copies of the packages: it first runs all the named tests as they are, then one mutation at a time in each.
It ends with 1 if a mutation survives, hangs, breaks more than the rule (the test cannot even start), or if the
text it wants to take away is no longer there. Whether the tables still fit the code is also a test of the suite
(`tests/test_prove.py`), which runs no mutation.
"""

import argparse
import ast
import importlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("config", "jobs", "crawling", "extraction", "templates", "tests", "manage.py", "pyproject.toml")
COPIES = 2  # proven side by side, each with a database server of its own
RUN_SECONDS = 120.0
PATIENCE_SECONDS = "4"  # a mutant makes some tests wait in vain; this long is enough


@dataclass(frozen=True, slots=True)
class Change:
    """One edit: `snippet`, found exactly once in `file`, becomes `replacement`."""

    file: str
    snippet: str
    replacement: str = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """One rule: what it says, the edits that take it away, and the test that must then fail."""

    rule: str
    sentence: str
    changes: tuple[Change, ...]
    test: str


@dataclass(frozen=True, slots=True)
class Run:
    """How tests ended: the ids that failed, and why the run itself is no answer, if it is none."""

    failed: int
    passed: int
    problem: str = ""


def protections() -> list[Protection]:
    """Return the rules of all apps, in the order of the apps' names."""
    rules: list[Protection] = []
    for table in sorted((ROOT / "tests").glob("*/protections.py")):
        rules += importlib.import_module(f"tests.{table.parent.name}.protections").PROTECTIONS
    return rules


def stale(rules: Sequence[Protection], root: Path = ROOT) -> list[str]:
    """Return a line for all that is no longer true of the rules: a snippet, a test or an id that does not fit."""
    ids = [rule.rule for rule in rules]
    wrong = [f"{rule_id}: listed {ids.count(rule_id)} times" for rule_id in sorted(set(ids)) if ids.count(rule_id) > 1]
    for rule in rules:
        faults = [not_found(root, change) for change in rule.changes] if rule.changes else ["takes nothing away"]
        faults.append(test_missing(root, rule.test))
        wrong += [f"{rule.rule}: {fault}" for fault in faults if fault]
    return wrong


def not_found(folder: Path, change: Change) -> str:
    """Return why the change cannot be made to its file in `folder`, empty if it can."""
    path = folder / change.file
    times = path.read_text().count(change.snippet) if path.exists() else 0
    if times == 1:
        return "" if change.replacement != change.snippet else f"changes nothing in {change.file}"
    first_line = change.snippet.strip().partition("\n")[0]
    return f"found {times} times in {change.file}: {first_line}"


def test_missing(folder: Path, test: str) -> str:
    """Return what is missing of the test `file::function` or `file::function[parameters]`, empty if nothing is.

    Nothing is imported. The parts of the parameters' id must be written in the decorators of the function.
    """
    file, _, name = test.partition("::")
    function, _, parameters = name.removesuffix("]").partition("[")
    path = folder / file
    if not path.exists():
        return f"{file} is missing"
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            written = set(_written(node.decorator_list))
            missing = [part for part in parameters.split("-") if part and not {part, parameters} & written]
            return f"{file}::{function} has no parameter {', '.join(missing)}" if missing else ""
    return f"{file} has no {function}"


def _written(decorators: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the names and values that stand in the decorators as pytest would write them in an id."""
    for node in (inner for decorator in decorators for inner in ast.walk(decorator)):
        if isinstance(node, ast.Constant):
            yield str(node.value)
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def copy_made(folder: Path) -> Path:
    """Copy the packages and their tests into the new `folder`; return it."""
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".quarry", "sample_site/pages")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        elif source.exists():
            shutil.copy2(source, folder / name)
    return folder


def tests_run(folder: Path, tests: Sequence[str], *, seconds: float = RUN_SECONDS) -> Run:
    """Run `tests` in the copy and return how they ended."""
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--reuse-db"]
    command += [f"--junitxml={report}", *tests]
    environment = os.environ | {"TEST_PATIENCE_SECONDS": PATIENCE_SECONDS}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Run(0, 0, f"did not end within {seconds:.0f} s")
    if not report.exists():
        return Run(0, 0, f"no test ran: {(done.stdout + done.stderr).strip().splitlines()[-1:]}")
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = sum(case.find("failure") is not None for case in cases)
    broken = sum(case.find("error") is not None and case.find("failure") is None for case in cases)
    if not cases or (broken and not failed):
        return Run(failed, 0, "the test could not start")
    return Run(failed, len(cases) - failed - broken)


def mutated(folder: Path, changes: Iterable[Change]) -> str:
    """Apply the changes to the copy; return what is wrong with them, empty if nothing."""
    for change in changes:
        if wrong := not_found(folder, change):
            return wrong
        path = folder / change.file
        path.write_text(path.read_text().replace(change.snippet, change.replacement))
    return ""


def verdict(folder: Path, protection: Protection) -> str:
    """Return what is wrong with the protection's test, empty if it fails as it should."""
    files = {folder / change.file for change in protection.changes}
    originals = {path: path.read_text() for path in files if path.exists()}
    try:
        wrong = mutated(folder, protection.changes)
        if wrong:
            return f"STALE     {wrong}"
        run = tests_run(folder, [protection.test])
        if run.problem:
            return f"NO ANSWER {run.problem}"
        return "" if run.failed else "SURVIVED  the test passes without the protection"
    finally:
        for path, text in originals.items():
            path.write_text(text)


def prove(rules: Sequence[Protection]) -> int:
    """Run every rule, in two copies at a time, and print a line for each; return how many are not proven."""
    unproven = 0
    with tempfile.TemporaryDirectory(prefix="prove-", ignore_cleanup_errors=True) as name:
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(COPIES):
            folders.put(copy_made(Path(name) / str(number)))
        tests = sorted({rule.test for rule in rules})
        with folder_of(folders) as folder:
            unchanged = tests_run(folder, tests, seconds=60 + 5 * RUN_SECONDS)
        if unchanged.problem or unchanged.failed:
            print(f"the tests fail without any change: {unchanged.problem or unchanged.failed}")
            return 1
        print(f"{unchanged.passed} tests pass as the code stands; now without each protection:", flush=True)
        with ThreadPoolExecutor(COPIES) as pool:
            for rule, (wrong, seconds) in zip(rules, pool.map(partial(timed_verdict, folders), rules), strict=True):
                unproven += bool(wrong)
                print(f"{wrong or 'FAILED as it should'}  {seconds:4.1f} s  {rule.rule}: {rule.sentence}", flush=True)
    print(f"{len(rules) - unproven} of {len(rules)} protections proven")
    return unproven


@contextmanager
def folder_of(folders: "SimpleQueue[Path]") -> Iterator[Path]:
    """Yield a copy that nobody else works on meanwhile."""
    folder = folders.get()
    try:
        yield folder
    finally:
        folders.put(folder)


def timed_verdict(folders: "SimpleQueue[Path]", rule: Protection) -> tuple[str, float]:
    """Return what is wrong with the rule's test, and how many seconds it took to see."""
    with folder_of(folders) as folder:
        began = time.monotonic()
        return verdict(folder, rule), time.monotonic() - began


def chosen(rules: Sequence[Protection], words: Sequence[str], seed: int | None) -> list[Protection]:
    """Return the rules whose id begins with one of the words; with a seed a tenth of them, at least one."""
    fitting = [rule for rule in rules if not words or rule.rule.startswith(tuple(words))]
    if seed is None or not fitting:
        return fitting
    return random.Random(seed).sample(fitting, -(-len(fitting) // 10))


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if every chosen rule is proven."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description="Prove that the protections are tested.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="how the ids of the rules begin; without one, all")
    parser.add_argument("--tenth", nargs="?", type=int, const=random.randrange(10_000), metavar="SEED")
    asked = parser.parse_args(arguments)
    rules = chosen(protections(), asked.words, asked.tenth)
    if not rules:
        print("no rule begins so; they are: " + ", ".join(rule.rule for rule in protections()))
        return 2
    if asked.tenth is not None:
        words = " ".join([*asked.words, f"--tenth {asked.tenth}"])
        print(f'Once more:   make prove ARGS="{words}"   chose {", ".join(rule.rule for rule in rules)}', flush=True)
    return int(prove(rules) > 0)


if __name__ == "__main__":
    sys.exit(main())
