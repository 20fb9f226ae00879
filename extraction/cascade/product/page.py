"""One product page's elements in order, with what is shown, what lies aside, and where its heading is."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from lxml import etree

from extraction.cascade.extractors.main_node import main_nodes
from extraction.cascade.product.words import ASIDE_NAME, ASIDE_TAGS, BUY_NAME, FORMER_TAGS
from extraction.evidence.page import PageInput
from extraction.schema.selectors import visible_text

MAX_ELEMENTS = 20_000
MAX_BUY_CONTROLS = 15
MAX_ELEMENT_CHARACTERS = 400
MAX_CAPTION_CHARACTERS = 40
_NAME_ATTRIBUTES = (
    "id",
    "class",
    "itemprop",
    "name",
    "data-testid",
    "data-test",
    "data-qa",
    "data-qa-qualifier",
    "data-id",
    "data-hook",
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_HIDDEN_CLASS = re.compile(
    r"(?:^|\s)(?:hidden|hide|d-none|a-hidden|aok-hidden|visually-hidden|is-hidden)(?:\s|$)", re.I
)
_UNSEEN = frozenset({"script", "style", "noscript", "template", "svg", "head", "option", "select", "iframe"})
_CONTROLS = frozenset({"button", "input", "a", "form"})
_WORD = re.compile(r"\w+")
_TEXT_LENGTH = etree.XPath("string-length(.)")


class ProductPage:
    """A page on which a product is looked for; elements are numbered in document order."""

    def __init__(self, page: PageInput) -> None:
        self.page = page
        self._texts: dict[Any, str] = {}

    @cached_property
    def elements(self) -> list[Any]:
        """The shown elements of the page's body, from its heading's region and elsewhere."""
        shown: list[Any] = []
        body = self.page.tree.find("body")
        waiting = [] if body is None else [body]
        while waiting and len(shown) < MAX_ELEMENTS:
            element = waiting.pop()
            if not isinstance(element.tag, str) or element.tag in _UNSEEN or self._is_hidden(element):
                continue
            if not self._is_aside(element):
                shown.append(element)
                waiting.extend(reversed(element))
        return shown

    @cached_property
    def heading(self) -> Any | None:
        """The `h1` that shares most words with the page's title."""
        title = set(_WORD.findall(self.title.lower()))
        headings = [h for h in self.page.tree.iter("h1") if visible_text(h)]
        if not headings:
            return None
        return max(headings, key=lambda h: len(title & set(_WORD.findall(visible_text(h).lower()))))

    @cached_property
    def title(self) -> str:
        """The page's title with what its meta tags call it."""
        found = self.page.tree.findtext(".//title") or ""
        return " ".join([self.page.title or found, *self.page.graph.meta.get("og:title", [])])

    @cached_property
    def heading_number(self) -> int:
        """The heading's place among `elements`; 0 without heading."""
        for number, element in enumerate(self.elements):
            if element is self.heading:
                return number
        return 0

    def text(self, element: Any) -> str:
        """Return the element's visible text; nothing for one that holds far more than a label or a value."""
        known = self._texts.get(element)
        if known is None:
            is_long = _TEXT_LENGTH(element) > MAX_ELEMENT_CHARACTERS * 3
            text = "" if is_long else visible_text(element)
            known = self._texts[element] = text if len(text) <= MAX_ELEMENT_CHARACTERS else ""
        return known

    @cached_property
    def is_declared_product(self) -> bool | None:
        """Whether structured data names one product (True) or several equal ones (False); None: it is silent."""
        page = self.page
        if main_nodes(page.graph, "Product", url=page.url, title=self.title):
            return True
        if page.graph.of_kind("Product"):
            return False
        kinds = " ".join(page.graph.meta.get("og:type", [])).lower()
        is_tagged = "product" in kinds or any(name.startswith("product:") for name in page.graph.meta)
        return True if is_tagged else None

    @cached_property
    def buy_controls(self) -> list[Any]:
        """Buttons and links that put the product into a basket."""
        return [
            element
            for element in self.elements
            if (BUY_NAME.search(names_of(element)) or BUY_NAME.search(element.get("action") or ""))
            and (element.tag in _CONTROLS or len(self.text(element)) <= MAX_CAPTION_CHARACTERS)
        ]

    def address(self, element: Any, *, suffix: str = "") -> str:
        """Return the markup address of an element, or with `suffix` (`/@content`, `/text()[1]`) of a part of it."""
        return f"xpath[0]#{element.getroottree().getpath(element)}{suffix}"

    def is_former(self, element: Any, name: re.Pattern[str]) -> bool:
        """Return whether the element or one near above it is struck through or named by `name`."""
        for depth, above in enumerate((element, *element.iterancestors())):
            if depth == 4 or above.tag == "body":
                break
            if above.tag in FORMER_TAGS or name.search(names_of(above)):
                return True
        return False

    def _is_aside(self, element: Any) -> bool:
        """Return whether a region is about other things; a region around the heading never is."""
        if element.tag not in ASIDE_TAGS and not ASIDE_NAME.search(names_of(element)):
            return False
        return element not in self._around_heading

    @cached_property
    def _around_heading(self) -> set[Any]:
        if self.heading is None:
            return {self.page.tree.find("body")}
        return {self.heading, *self.heading.iterancestors()}

    def _is_hidden(self, element: Any) -> bool:
        attributes = element.attrib
        if "hidden" in attributes or _HIDDEN_CLASS.search(attributes.get("class", "")):
            return True
        return bool(_HIDDEN_STYLE.search(attributes.get("style", "")))


def names_of(element: Any) -> str:
    """Return the element's id, classes and test names in one string."""
    return " ".join(value for name in _NAME_ATTRIBUTES if (value := element.get(name)))
