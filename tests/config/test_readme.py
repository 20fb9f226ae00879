"""The README keeps up with the code: every command and every setting is in it."""

import re
from pathlib import Path

import pytest

from config.environment.env import CHECKOUT, VARIABLES

README = (CHECKOUT / "README.md").read_text()
COMMANDS = sorted(
    path.stem
    for folder in ("config", "jobs", "crawling", "extraction")
    for path in Path(CHECKOUT / folder / "management" / "commands").glob("*.py")
    if path.stem != "__init__"
)


def test_there_are_commands_to_look_for() -> None:
    assert {"up", "demo", "crawl", "search", "cancel"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_table(command: str) -> None:
    assert re.search(rf"^\|.*`{command}\b", README, re.MULTILINE), f"README.md does not list {command}"


def test_every_setting_is_in_the_table_and_no_other() -> None:
    listed = set(re.findall(r"^\| `([A-Z_]+)`", README, re.MULTILINE))
    assert listed == {variable.name for variable in VARIABLES}


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.name)
def test_defaults_are_the_code_s(variable) -> None:
    row = re.search(rf"^\| `{variable.name}`[^|]*\|([^|]*)\|", README, re.MULTILINE)
    assert row is not None
    shown = row[1].strip().strip("`")
    if variable.name != "QUARRY_URL":  # its default is written out where it is used
        assert shown == variable.default


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_every_file_it_links_to_exists(path: str) -> None:
    assert (CHECKOUT / path).exists(), f"README.md links to {path}, which is missing"
