"""Names of modules in prose exist: in docstrings, comments, README, CONTRIBUTING and docs, if in backticks.

Understood are paths below our folders (`jobs/states.py`), names of Python files (`states.py`), dotted names that begin
with one of our packages (`jobs.states.Reason`) or with the last name of one of our modules (`states.Reason`),
permissions (`jobs.view_job`), and in the docstring of a package the modules that it says to open first. All other
words in backticks are left alone.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.prove import ROOT

PACKAGES = ("config", "jobs", "crawling", "extraction")
FOLDERS = (*PACKAGES, "tests", "docs", "templates")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md")

QUOTED = re.compile(r"`([^`\n]+)`")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
PATH = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./-]*(?:::\w+)?")
PYTHON_FILE = re.compile(r"\w+\.py")
DOTTED = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\([^)]*\))?")
FILE_TYPES = {"conf", "css", "gz", "html", "json", "lock", "log", "md", "toml", "txt", "xml", "yaml"}
OPENED_FIRST = re.compile(r"[^.;]*\bopen\b[^.;]*\bfirst\b", re.IGNORECASE)  # a clause, up to this word


class Repository:
    """What exists below a folder: files, modules, and the names that they define."""

    def __init__(self, root: Path) -> None:
        self.root = root
        sources = [path for package in (*PACKAGES, "tests") for path in sorted(root.glob(f"{package}/**/*.py"))]
        self.files = [*sources, *root.glob("*.py")]
        self.modules = {_dotted(path.relative_to(root)): path for path in sources}
        folders = {parent for path in sources for parent in path.relative_to(root).parents if parent.name}
        self.packages = {".".join(folder.parts) for folder in folders} - self.modules.keys()
        self.by_last_name: dict[str, list[str]] = {}
        for module in [*self.modules, *self.packages]:
            if not module.startswith("tests.") or module.startswith("tests.helpers."):
                self.by_last_name.setdefault(module.rpartition(".")[2], []).append(module)
        self.names = cache(self._names)

    def _names(self, module: str) -> dict[str, ast.AST]:
        if module not in self.modules:
            return {}
        return dict(_defined(ast.parse(self.modules[module].read_text()).body))

    def has(self, dotted: str) -> bool:
        """Return whether this is a module, or a name in one, or an attribute of a class in one."""
        if dotted in self.modules or dotted in self.packages:
            return True
        owner, _, name = dotted.rpartition(".")
        if not owner:
            return False
        if owner in self.modules or owner in self.packages:
            return name in self.names(owner) or self._is_permission(owner, name)
        module, _, class_name = owner.rpartition(".")
        found = self.names(module).get(class_name) if self.has(owner) else None
        if not isinstance(found, ast.ClassDef):
            return found is not None  # imported, or a value: what it has is not known here
        return bool(found.bases) or name in dict(_defined(found.body))

    def _is_permission(self, app: str, codename: str) -> bool:
        action, _, model = codename.partition("_")
        models = self.names(f"{app}.models")
        if action in ("view", "add", "change", "delete") and model in {name.lower() for name in models}:
            return True
        return bool(models) and f'"{codename}"' in self.modules[f"{app}.models"].read_text()

    def wrong(self, quoted: str) -> bool:
        """Return whether the text is a name of ours, and of nothing that exists."""
        if PATH.fullmatch(quoted):
            path, _, function = quoted.partition("::")
            found = self.root / path
            if not found.exists() or not function:
                return not found.exists()
            return function not in self.names(_dotted(Path(path)))
        if PYTHON_FILE.fullmatch(quoted):
            return quoted not in {path.name for path in self.files}
        match = DOTTED.fullmatch(quoted)
        if match is None:
            return False
        head, _, rest = match[1].partition(".")
        if head in (*PACKAGES, "tests"):
            return not self.has(match[1])
        owners = self.by_last_name.get(head, [])
        if not owners or head in sys.stdlib_module_names or rest in FILE_TYPES:
            return False
        return not any(self.has(f"{owner}.{rest}") for owner in owners)

    def mistakes(self) -> Iterator[str]:
        """Yield the place and the name of every wrong one."""
        for path in self.files:
            package = path.parent if path.name == "__init__.py" else None
            for line, text in _prose(path.read_text()):
                for name in re.findall(r"`(\w+)`", " ".join(OPENED_FIRST.findall(text))) if package else ():
                    if not (package / f"{name}.py").exists() and not (package / name).is_dir():
                        yield f"{path.relative_to(self.root)}:{line}: `{name}` is not there to be opened first"
                yield from self._wrong_in(path, line, text)
        for page in (page for pattern in PAGES for page in sorted(self.root.glob(pattern))):
            text = FENCED.sub(lambda fenced: "\n" * fenced[0].count("\n"), page.read_text())
            yield from self._wrong_in(page, 1, text)

    def _wrong_in(self, path: Path, line: int, text: str) -> Iterator[str]:
        for number, row in enumerate(text.split("\n"), line):
            for quoted in QUOTED.findall(row):
                if self.wrong(quoted):
                    yield f"{path.relative_to(self.root)}:{number}: `{quoted}`"


def _dotted(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _defined(body: list[ast.stmt]) -> Iterator[tuple[str, ast.AST]]:
    """Yield what statements define: names with the statement, those in branches too."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name.partition(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = (inner for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name))
            yield from ((name.id, node) for name in names)
        else:
            for branch in ("body", "orelse", "handlers", "finalbody"):
                yield from _defined(getattr(node, branch, []))


def _prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings and comments of a module, each with the line on which it begins."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                yield first.lineno, first.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_every_name_of_ours_in_prose_exists() -> None:
    mistakes = list(Repository(ROOT).mistakes())
    assert not mistakes, "these do not exist:\n" + "\n".join(mistakes)


FILES = {
    "jobs/__init__.py": '"""The jobs. Open `states` first."""\n',
    "jobs/states.py": "class Plain:\n    limit = 1\nclass Status(str):\n    pass\nif True:\n    LIMIT = made = 3\n",
    "jobs/models.py": 'class WorkItem:\n    permissions = [("pause_job", "May pause")]\n',
    "jobs/api/routes.py": "from jobs.states import Status\ndef cancel():\n    pass\n",
    "tests/jobs/test_states.py": "def test_it():\n    pass\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A small repository."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Repository(tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("jobs/states.py", "jobs/state.py"),
        ("jobs/api/", "jobs/rest/"),
        ("tests/jobs/test_states.py::test_it", "tests/jobs/test_states.py::test_that"),
        ("states.py", "state.py"),
        ("jobs.api", "jobs.rest"),
        ("jobs.states.Status", "jobs.states.State"),
        ("jobs.states.LIMIT", "jobs.states.LIMITS"),
        ("jobs.states.Plain.limit", "jobs.states.Plain.limits"),
        ("jobs.states.Status.upper", "jobs.states.State.upper"),
        ("jobs.api.routes.cancel()", "jobs.api.routes.pause()"),
        ("routes.cancel(job_id)", "routes.pause(job_id)"),
        ("routes.Status", "routes.State"),
        ("api.routes", "api.schemas"),
        ("jobs.view_workitem", "jobs.view_item"),
        ("jobs.pause_job", "jobs.stop_job"),
    ],
)
def test_a_name_is_told_from_one_that_does_not_exist(repository: Repository, right: str, wrong: str) -> None:
    assert not repository.wrong(right)
    assert repository.wrong(wrong)


@pytest.mark.parametrize(
    "other", ["job.status", "os.environ", "co.uk", "GET /jobs", "jobs", "a/b.py", "jobs/*.py", "states.json"]
)
def test_what_is_not_ours_is_left_alone(repository: Repository, other: str) -> None:
    assert not repository.wrong(other)


def test_mistakes_are_found_where_prose_stands(repository: Repository) -> None:
    texts = {
        "jobs/__init__.py": '"""Jobs; `items` are many. `states` or `status` is what to\nopen first, not `this`."""\n',
        "jobs/two.py": '"""One.\n\n`states.Status`, `states.Gone`.\n"""\nX = "`states.Text`"  # as `jobs/gone.py`\n',
        "jobs/three.py": 'def f():\n    """Like `jobs.states.f`."""\n',
        "docs/page.md": "```\n`jobs.fenced`\n```\nSee `jobs/api/routes.py`, `jobs/api/router.py`.\n",
        "CHANGELOG.md": "`jobs/as/it/was.py`\n",
    }
    for name, text in texts.items():
        (repository.root / name).parent.mkdir(exist_ok=True)
        (repository.root / name).write_text(text)
    assert sorted(Repository(repository.root).mistakes()) == [
        "docs/page.md:4: `jobs/api/router.py`",
        "jobs/__init__.py:1: `status` is not there to be opened first",
        "jobs/three.py:2: `jobs.states.f`",
        "jobs/two.py:3: `states.Gone`",
        "jobs/two.py:5: `jobs/gone.py`",
    ]
