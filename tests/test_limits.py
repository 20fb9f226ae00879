"""Every limit of the product is crossed by a test: named there, or listed here with the test that crosses its value."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests import prove
from tests.prove import ROOT

PACKAGES = ("config", "jobs", "crawling", "extraction")
LIMIT = re.compile(r"_?([A-Z0-9]+_)*MAX_[A-Z0-9_]+")

#: Limits whose name stands in no test, by module and name: the test below tests/ that crosses the value itself.
BY_VALUE = {
    "crawling.web.patterns.MAX_PATTERNS": "crawling/web/test_scope.py::test_bad_configs_are_refused_with_a_sentence",
    "crawling.web.patterns.MAX_PATTERN_CHARACTERS": "crawling/web/test_scope.py::test_patterns",
    "crawling.web.statuses.MAX_RETRY_AFTER_SECONDS": "crawling/web/test_fetch.py::test_retry_after",
    "crawling.work.parse_page.MAX_SITEMAP_LEVELS": "crawling/work/test_worker.py::test_a_maze_of_sitemaps_has_an_end",
    "crawling.work.worker.MAX_CRAWL_DELAY_SECONDS": (
        "crawling/web/test_politeness.py::test_no_more_items_are_held_than_the_host_may_be_asked_for"
    ),
    "extraction.api.schemas_sources.MAX_SOURCE_IDS": "extraction/api/test_api_sources.py::test_bad_wishes_are_422",
    "extraction.schema.model.MAX_FIELDS": "extraction/schema/test_model.py::test_duplicates_and_sizes_are_refused",
    "extraction.schema.model.MAX_GROUPS": "extraction/schema/test_model.py::test_duplicates_and_sizes_are_refused",
    "extraction.schema.projects.MAX_NAME_CHARACTERS": "extraction/schema/test_projects.py::test_a_name_is_needed",
    "extraction.search.hybrid.MAX_LIMIT": "extraction/api/test_api_search.py::test_bad_input_is_told_in_one_sentence",
    "extraction.search.hybrid.MAX_QUERY_CHARACTERS": (
        "extraction/api/test_api_search.py::test_bad_input_is_told_in_one_sentence"
    ),
    "jobs.mcp.tools_jobs.MAX_WAIT_SECONDS": (
        "jobs/mcp/test_mcp_tools.py::test_wrong_arguments_are_told_and_nothing_is_sent"
    ),
    "jobs.ledger.expiry.MAX_LOST_LEASES": "jobs/worker/test_healing.py::test_the_third_lost_lease_is_the_last",
}


def limits_of(root: Path) -> list[str]:
    """Return the limits defined in the modules below `root`, as module and name."""
    return sorted(
        f"{module_of(path, root)}.{name}"
        for package in PACKAGES
        for path in root.glob(f"{package}/**/*.py")
        for name in names_assigned(ast.parse(path.read_text()))
        if LIMIT.fullmatch(name)
    )


def module_of(path: Path, root: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def names_assigned(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def names_used(text: str) -> Iterator[str]:
    """Yield what a test takes from modules, as module and name: imported, an attribute, or set by `setattr`."""
    tree = ast.parse(text)
    local: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                local[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{local.get(node.value.id)}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            match node.args:
                case [ast.Name(id=owner), ast.Constant(value=name), *_]:
                    yield f"{local.get(owner)}.{name}"


@cache
def uncrossed(root: Path) -> list[str]:
    """Return the limits below `root` that no test there names."""
    named = {name for path in root.glob("tests/**/*.py") for name in names_used(path.read_text())}
    return [limit for limit in limits_of(root) if limit not in named]


def test_every_limit_is_crossed_by_a_test() -> None:
    assert len(limits_of(ROOT)) > 50
    missing = [limit for limit in uncrossed(ROOT) if limit not in BY_VALUE]
    assert not missing, "no test crosses " + ", ".join(missing)


@pytest.mark.parametrize("limit", BY_VALUE)
def test_the_table_is_true(limit: str) -> None:
    assert limit in uncrossed(ROOT), "there is no such limit, or a test names it: it needs no line here"
    assert prove.test_missing(ROOT, f"tests/{BY_VALUE[limit]}") == ""


def test_a_limit_without_a_test_is_noticed(tmp_path: Path) -> None:
    limits = "MAX_A = 1\n_MAX_B: int = 2\nD_MAX_BYTES = MAX_E = 3\nlower_MAX_C = 4\nMAXIMUM = 5\n"
    for name, text in {
        "jobs/one.py": limits,
        "jobs/two/__init__.py": "MAX_A = 1\n",
        "tests/test_one.py": "from jobs import one as first\nfrom jobs.one import _MAX_B\n"
        "def test(monkeypatch):\n    monkeypatch.setattr(first, 'MAX_A', 2)\n    assert first.D_MAX_BYTES > _MAX_B\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert uncrossed(tmp_path) == ["jobs.one.MAX_E", "jobs.two.MAX_A"]
    assert {"jobs.one._MAX_B", "jobs.one.MAX_A"} < set(limits_of(tmp_path))
    assert len(limits_of(tmp_path)) == 5
