"""Templates and stylesheet: no line too long to read, and nothing written twice."""

import re
from collections import Counter

from config.environment.env import CHECKOUT

TEMPLATES = sorted((CHECKOUT / "templates").rglob("*.html"))
STYLESHEET = CHECKOUT / "config" / "static" / "quarry" / "admin.css"
MAX_COLUMNS = 160


def test_no_line_of_a_template_is_too_long_to_read():
    long = [
        f"{path.relative_to(CHECKOUT)}:{number} has {len(line)} characters"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > MAX_COLUMNS
    ]
    assert TEMPLATES
    assert long == []


def test_the_breadcrumbs_are_written_in_one_template():
    markup = [path.name for path in TEMPLATES if "›" in path.read_text() or 'class="breadcrumbs"' in path.read_text()]
    assert markup == ["breadcrumbs.html"]


def test_each_colour_is_given_once_for_both_themes():
    text = STYLESHEET.read_text()
    names = Counter(re.findall(r"^\s*(--[\w-]+):", text, flags=re.MULTILINE))
    assert names["--body-bg"] == 1
    assert {name for name, number in names.items() if number > 1} == set()
    assert "prefers-color-scheme" not in text
