"""CSS and XPath selectors as schemas write them, compiled once and read from an lxml tree.

A selector is XPath when it starts with `/`, `./`, `(` or `xpath:`; anything else is CSS, where a trailing
`::attr(name)` reads an attribute and `::text` says explicitly what is the default anyway.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cssselect import HTMLTranslator, SelectorError
from lxml import etree

from extraction.errors import SchemaInvalid
from extraction.states import SelectorLanguage

_XPATH_START = ("/", "./", ".//", "(", "xpath:")
_CSS_SUFFIX = re.compile(r"::(?:attr\(\s*(?P<attribute>[\w:.-]+)\s*\)|text)\s*$")
_SPACE = re.compile(r"\s+")
_UNSEEN_TAGS = frozenset({"script", "style", "noscript", "template"})


@dataclass(frozen=True, slots=True)
class Selector:
    """A compiled selector: `source` is what the schema says."""

    language: SelectorLanguage
    source: str
    attribute: str | None
    program: Any  # lxml.etree.XPath, which has no type of its own

    def read(self, tree: Any) -> list[str]:
        """Return the raw strings of all matches in document order, spaces collapsed; empty ones stay.

        Raises: SchemaInvalid when the selector compiles but cannot be evaluated.
        """
        try:
            matches = self.program(tree)
        except etree.XPathError as error:
            raise SchemaInvalid(f"The selector {self.source!r} cannot be evaluated: {error}; correct it.") from error
        if not isinstance(matches, list):
            matches = [_literal(matches)]
        return [self._raw(match) for match in matches]

    def _raw(self, match: Any) -> str:
        if not isinstance(match, etree._Element):
            return _SPACE.sub(" ", str(match)).strip()
        if self.attribute is not None:
            return _SPACE.sub(" ", match.get(self.attribute, "")).strip()
        return visible_text(match)


def _literal(result: Any) -> str:
    """Return an XPath string, number or boolean as text; whole numbers without `.0`."""
    if isinstance(result, bool):
        return "true" if result else "false"
    if isinstance(result, float) and result.is_integer():
        return str(int(result))
    return str(result)


def visible_text(element: Any) -> str:
    """Return the element's text with spaces collapsed, without scripts, styles and comments."""
    parts: list[str] = []
    _gather_text(element, parts)
    return _SPACE.sub(" ", "".join(parts)).strip()


def _gather_text(element: Any, parts: list[str]) -> None:
    hidden_depth = 0
    for event, node in etree.iterwalk(element, events=("start", "end", "comment", "pi")):
        unseen = not isinstance(node.tag, str) or node.tag in _UNSEEN_TAGS
        if event == "start":
            hidden_depth += unseen
            if not hidden_depth and node.text:
                parts.append(node.text)
            continue
        if event == "end":
            hidden_depth -= unseen
        if not hidden_depth and node is not element and node.tail:
            parts.append(node.tail)


@lru_cache(maxsize=2048)
def compile_selector(source: str) -> Selector:
    """Return the compiled form of `source`.

    Raises: SchemaInvalid, naming the fault, when it is neither valid CSS nor valid XPath.
    """
    try:
        if source.startswith(_XPATH_START):
            return Selector(SelectorLanguage.XPATH, source, None, etree.XPath(source.removeprefix("xpath:").strip()))
        suffix = _CSS_SUFFIX.search(source)
        css = source[: suffix.start()] if suffix else source
        program = etree.XPath(HTMLTranslator().css_to_xpath(css, prefix="descendant-or-self::"))
        return Selector(SelectorLanguage.CSS, source, suffix["attribute"] if suffix else None, program)
    except (SelectorError, etree.XPathError, ValueError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise SchemaInvalid(f"{source!r} is neither a valid CSS selector nor valid XPath: {reason}") from error
