"""The map of the house: no circle of imports, no folder that is too full, each room with its map."""

import ast
import re
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("config", "jobs", "crawling", "extraction")
MAX_MODULES = 20
NOT_ROOMS = {"migrations", "management", "commands", "templatetags"}
#: Words with -ing that are the standard terms for what is in the module.
ING = {"waiting", "listing", "healing", "locating", "embedding", "logging", "serving", "rendering", "running"}


def folders() -> list[Path]:
    """Return the packages of the product, the apps themselves included."""
    found = [folder.parent for app in APPS for folder in (ROOT / app).rglob("__init__.py")]
    return sorted(folder for folder in found if not NOT_ROOMS & set(folder.relative_to(ROOT).parts))


def modules(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.py") if path.name != "__init__.py"]


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other: the strongly connected components (Tarjan, 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        number[name] = low[name] = len(number)
        stack.append(name)
        for other in sorted(imports[name]):
            if other not in number:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], number[other])
        if low[name] == number[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in sorted(imports):
        if name not in number:
            visit(name)
    return found


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions count as well; a package's own map imports nothing."""
    graph = grimp.build_graph(*APPS)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert circles(imports) == []


@pytest.mark.parametrize("folder", [*folders(), *sorted({path.parent for path in (ROOT / "tests").rglob("*.py")})])
def test_no_folder_is_too_full(folder: Path) -> None:
    assert len(modules(folder)) <= MAX_MODULES


@pytest.mark.parametrize("folder", folders())
def test_each_room_says_what_is_in_it(folder: Path) -> None:
    if folder.parent == ROOT:
        return  # the apps themselves: their rooms are in CONTRIBUTING.md
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    inside = {path.stem for path in modules(folder)} | {path.name for path in folder.iterdir() if path.is_dir()}
    assert inside & set(re.findall(r"\w+", text)), f"{folder.relative_to(ROOT)} does not say which file to open first"


def test_modules_are_named_by_nouns_or_verbs() -> None:
    found = {path.stem for folder in folders() for path in modules(folder) if path.stem.endswith("ing")}
    assert found <= ING


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
LISTED = re.findall(r"^\| `(\w+)/(\w+)` \| .+ \| `([\w/]+\.py)` \|$", CONTRIBUTING, flags=re.MULTILINE)


def test_contributing_lists_every_room_and_the_file_to_open_first() -> None:
    rooms = {(folder.parent.name, folder.name) for folder in folders() if folder.parent.parent == ROOT}
    assert {(app, room) for app, room, _ in LISTED} == rooms
    for app, room, file in LISTED:
        assert file.startswith(f"{app}/{room}/")
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("app", APPS)
def test_contributing_lists_the_rooms_in_the_order_of_their_ladder(app: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [ladder] = [one["layers"] for one in contracts if one["name"] == f"the rooms of {app} are a ladder"]
    step = {
        name.strip().removeprefix(f"{app}."): rank for rank, names in enumerate(ladder) for name in names.split("|")
    }
    ranks = [step[room] for listed, room, _ in LISTED if listed == app]
    assert ranks == sorted(ranks)


def test_each_arrow_of_the_flows_leads_somewhere() -> None:
    steps = re.findall(r"`([\w/]+\.py):(\w+)`", CONTRIBUTING)
    assert len(steps) > 30
    for file, name in steps:
        nodes = ast.walk(ast.parse((ROOT / file).read_text()))
        defined = {getattr(node, "name", "") for node in nodes}
        assert name in defined, f"{file} has no {name}"
