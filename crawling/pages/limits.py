"""How deeply a page's elements are nested, found without building a tree.

The HTML parser takes time quadratic in the depth of block elements and holds the interpreter while it does:
20,000 nested divs take a second, ten megabytes of them hours. Such a page must be refused before it is parsed.
"""

import re

MAX_NESTING = 5_000  # real pages stay below 200
#: Fewer tags than this cannot nest deep enough to matter, which spares nearly every page the scan.
HARMLESS_TAGS = 10_000

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)([^<>]*)")
#: Elements that stand alone, that the next of their kind closes, or that the parser itself bounds (formatting).
_NOT_NESTING = frozenset({
    "a", "area", "b", "base", "big", "body", "br", "caption", "code", "col", "colgroup", "dd", "dt", "em", "embed",
    "font", "head", "hr", "html", "i", "img", "input", "li", "link", "meta", "nobr", "optgroup", "option", "p",
    "param", "rb", "rp", "rt", "rtc", "s", "script", "small", "source", "strike", "strong", "style", "tbody", "td",
    "textarea", "tfoot", "th", "thead", "title", "tr", "track", "tt", "u", "wbr",
})  # fmt: skip


def is_too_nested(markup: str) -> bool:
    """Return whether `markup` is nested so deeply (over MAX_NESTING open elements) that it must not be parsed."""
    if markup.count("<") < HARMLESS_TAGS:
        return False
    depth = 0
    for match in _TAG.finditer(markup):
        closing, name, rest = match.groups()
        if name.lower() in _NOT_NESTING or rest.endswith("/"):
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        if depth > MAX_NESTING:
            return True
    return False
