"""The tables of protections fit the code, and the program that proves them notices what does not."""

from pathlib import Path

import pytest

from tests import prove
from tests.prove import Change, Protection

CODE = "def twice(number):\n    return number * 2\n"
TEST = """\
import pytest
from code_under_proof import twice

NUMBERS = [1, 2]


@pytest.mark.parametrize(("number", "double"), [(1, 2), (2, 4)])
def test_twice(number, double):
    assert twice(number) == double


def test_of_nothing():
    assert twice
"""
KEPT = Protection("kept", "Twice is twice.", (Change("code_under_proof.py", "* 2", "* 3"),), "test_code.py::test_twice")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny code base with its tests; the second of them guards nothing."""
    (tmp_path / "code_under_proof.py").write_text(CODE)
    (tmp_path / "test_code.py").write_text(TEST)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    return tmp_path


def changed(*changes: Change, test: str = KEPT.test) -> Protection:
    return Protection("planted", "It is stale.", changes, test)


def test_every_rule_fits_the_code() -> None:
    rules = prove.protections()
    assert {Path(rule.test).parts[1] for rule in rules} >= {"crawling", "extraction", "jobs"}
    assert prove.stale(rules) == []


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (changed(Change("code_under_proof.py", "* 4", "* 3")), "found 0 times in code_under_proof.py: * 4"),
        (changed(Change("code_under_proof.py", "number", "n")), "found 2 times in code_under_proof.py: number"),
        (changed(Change("moved.py", "* 2", "* 3")), "found 0 times in moved.py: * 2"),
        (changed(*KEPT.changes, Change("code_under_proof.py", "* 4")), "found 0 times in code_under_proof.py: * 4"),
        (changed(Change("code_under_proof.py", "* 2", "* 2")), "changes nothing in code_under_proof.py"),
        (changed(), "takes nothing away"),
        (changed(*KEPT.changes, test="test_moved.py::test_twice"), "test_moved.py is missing"),
        (changed(*KEPT.changes, test="test_code.py::test_thrice"), "test_code.py has no test_thrice"),
        (changed(*KEPT.changes, test="test_code.py::NUMBERS"), "test_code.py has no NUMBERS"),
        (changed(*KEPT.changes, test="test_code.py::test_twice[2-5]"), "test_code.py::test_twice has no parameter 5"),
    ],
)
def test_a_stale_rule_is_noticed(folder: Path, planted: Protection, said: str) -> None:
    assert prove.stale([KEPT, planted], folder) == [f"planted: {said}"]


def test_a_rule_listed_twice_is_noticed(folder: Path) -> None:
    parametrized = Protection("kept", "Two is four.", KEPT.changes, "test_code.py::test_twice[2-4]")
    assert prove.stale([parametrized], folder) == []
    assert prove.stale([KEPT, parametrized], folder) == ["kept: listed 2 times"]


def test_a_mutation_that_no_test_sees_is_told_from_one_that_is_seen(folder: Path) -> None:
    assert prove.verdict(folder, KEPT) == ""
    unseen = changed(*KEPT.changes, test="test_code.py::test_of_nothing")
    assert prove.verdict(folder, unseen) == "SURVIVED  the test passes without the protection"
    broken = changed(Change("code_under_proof.py", "def twice", "def thrice"))
    assert prove.verdict(folder, broken).startswith("NO ANSWER")
    assert prove.verdict(folder, changed(Change("code_under_proof.py", "* 4"))).startswith("STALE")
    assert (folder / "code_under_proof.py").read_text() == CODE, "what was changed is put back"


def test_a_seed_chooses_the_same_tenth_again() -> None:
    rules = [Protection(f"rule-{n}", "", (), "") for n in range(31)]
    tenth = prove.chosen(rules, [], 7)
    assert len(tenth) == len(set(tenth)) == 4
    assert tenth == prove.chosen(rules, [], 7) != prove.chosen(rules, [], 8)
    assert prove.chosen(rules, ["rule-1"], None) == [rules[1], *rules[10:20]]
    assert set(prove.chosen(rules, ["rule-1"], 7)) < {rules[1], *rules[10:20]}
    assert prove.chosen(rules, ["lane"], 7) == []
