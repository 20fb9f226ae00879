"""`jobs` knows no word of the applications above it: kinds and owners bring their own names through the registries."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prove import ROOT

#: Translates tools into calls of the whole REST API, so it must know what every application calls its things.
SPEAKS_FOR_ALL = "mcp"
#: Docstrings here are published in the API document; elsewhere they are for readers of the code.
PUBLISHED = "api"

FOREIGN = re.compile(
    r"sources?|extractions?|passages?|vectors?|embeddings?|crawl(s|ed|er|ers|ing)?|scrap(e|es|ed|er|ers|ing)"
    r"|sitemaps?|redirected|urls?"
)
TOKEN = re.compile(r"\w+(?:\.\w+)*")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

REASON = "a reason: one closed list for all kinds, so that counts add up"
DJANGO = "a name of Django's"
ADMIN = "where a page of the admin is, named as Django names it"
SERVER = "where the server is"
ALLOWED = {
    "SOURCE_GONE": REASON,
    "source_gone": REASON,
    "source_config": "a column that a project keeps for the applications above",
    "django.urls": DJANGO,
    "URLPattern": DJANGO,
    "get_urls": DJANGO,
    "form_url": DJANGO,
    "post_url_continue": DJANGO,
    "url_name": DJANGO,
    "_act_url": ADMIN,
    "_back_url": ADMIN,
    "_list_url": ADMIN,
    "act_url": ADMIN,
    "back_url": ADMIN,
    "url": SERVER,
    "QUARRY_URL": SERVER,
}


def modules() -> list[Path]:
    """Return the modules that the rule is about."""
    found = [path.relative_to(ROOT) for path in sorted((ROOT / "jobs").rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts and path.parts[1] != SPEAKS_FOR_ALL]


def tokens(source: str, *, with_docstrings: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every identifier and of every token in a string."""
    tree = ast.parse(source)
    docstrings = set() if with_docstrings else set(_docstrings(tree))
    for node in ast.walk(tree):
        for _, value in ast.iter_fields(node):
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and node not in docstrings:
                    yield from ((getattr(node, "lineno", 0), token) for token in TOKEN.findall(text))


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                yield first.value


def foreign(source: str, *, with_docstrings: bool = False) -> list[tuple[int, str]]:
    """Return the tokens with a word of the applications above, each with its line."""
    return [
        (line, token)
        for line, token in tokens(source, with_docstrings=with_docstrings)
        if token not in ALLOWED and any(FOREIGN.fullmatch(word.lower()) for word in WORD.findall(token))
    ]


@pytest.mark.parametrize("path", modules(), ids=str)
def test_no_word_of_the_applications_above_is_used(path: Path) -> None:
    source = (ROOT / path).read_text()
    assert foreign(source, with_docstrings=path.parts[1] == PUBLISHED) == []


def test_every_exception_is_needed() -> None:
    used = {token for path in modules() for _, token in tokens((ROOT / path).read_text())}
    assert ALLOWED.keys() <= used


@pytest.mark.parametrize(
    ("planted", "token"),
    [
        ("job_sources = 1", "job_sources"),
        ("def scrape(): pass", "scrape"),
        ("class CrawlOptions: pass", "CrawlOptions"),
        ("start(urls=[])", "urls"),
        ("job.passages", "passages"),
        ("from crawling import states", "crawling"),
        ("import extraction.search as other", "extraction.search"),
        ("def f(vector): pass", "vector"),
        ('HELP = "only this source group"', "source"),
        ('print(f"{number} pages redirected.")', "redirected"),
        ('def f():\n    """Fine."""\n    return "Embeddings"', "Embeddings"),
        ('counts["urls_found"]', "urls_found"),
        ("match job:\n    case Job(sitemap=found): pass", "sitemap"),
    ],
)
def test_a_planted_word_is_found(planted: str, token: str) -> None:
    assert [found for _, found in foreign(planted)] == [token]


@pytest.mark.parametrize(
    "harmless",
    [
        "resource = curl = vectorise = 1",
        "from urllib.request import urlopen",
        "Reason.SOURCE_GONE",
        'HELP = "set QUARRY_URL"',
        'def f():\n    """Return the sources."""',
        "redirect = HttpResponseRedirect  # sources",
    ],
)
def test_other_words_docstrings_and_comments_are_left_alone(harmless: str) -> None:
    assert foreign(harmless) == []


def test_docstrings_that_are_published_are_read() -> None:
    assert foreign('def f():\n    """Return the sources."""', with_docstrings=True) == [(2, "sources")]
