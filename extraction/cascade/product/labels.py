"""Values that stand beside their label: table rows, definition lists, `SKU: AB-12`, hidden inputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from extraction.cascade.product.page import ProductPage, names_of
from extraction.cascade.product.words import LABELLED, LABELS, SHAPES
from extraction.states import ProductRole

MAX_LABEL_CHARACTERS = 40
MAX_PIECE_CHARACTERS = 90
_MARKS = " \t\n:：#.‎‏\u200e\u200f*-–"
#: Elements that hold a label and its value together, so the next one is another pair.
_WHOLE_TAGS = frozenset({"li", "tr", "dl", "ul", "table", "option"})
_END_MARKS = ",;)"
_ATTRIBUTES = {
    ProductRole.SKU: ("data-sku", "data-product-sku", "data-asin", "data-product-code", "data-item-number"),
    ProductRole.BRAND: ("data-brand", "data-product-brand"),
    ProductRole.GTIN: ("data-ean", "data-gtin", "data-upc"),
    ProductRole.MPN: ("data-mpn",),
}
_INPUT_NAMES = {
    ProductRole.SKU: re.compile(r"asin|sku|product_?code|item_?(?:no|number|code)", re.I),
    ProductRole.GTIN: re.compile(r"ean|gtin|upc", re.I),
}
_CLASS_NAMES = {
    ProductRole.SKU: re.compile(
        r"(?:^|[\s_-])(?:sku|product-?(?:code|ref|reference|number)|item-?(?:number|code)|ref|reference)(?:$|[\s_-])",
        re.I,
    ),
    ProductRole.BRAND: re.compile(
        r"(?:^|[\s_-])(?:brand|manufacturer|marca|marque|marke)(?:$|[\s_-]?(?:name|title|link|label)?$)", re.I
    ),
}


def labelled_values(view: ProductPage, role: ProductRole) -> Iterator[str]:
    """Yield the addresses of values labelled for `role` (sku, brand, mpn, gtin), the surest manner first."""
    yield from _by_itemprop(view, role)
    yield from _by_pair(view, role)
    yield from _by_text(view, role)
    yield from _by_input(view, role)
    yield from _by_attribute(view, role)
    yield from _by_class(view, role)


def _by_itemprop(view: ProductPage, role: ProductRole) -> Iterator[str]:
    for element in view.elements:
        if role in (element.get("itemprop") or "").split():
            if _fits(role, element.get("content") or ""):
                yield view.address(element, suffix="/@content")
            elif _fits(role, view.text(element)):
                yield view.address(element)


def _by_pair(view: ProductPage, role: ProductRole) -> Iterator[str]:
    """Yield values whose label is the whole text of the element before them, or of the header of their row."""
    for element in view.elements:
        if element.tag in _WHOLE_TAGS or len(element) > 3 or not _is_label(view, role, element):
            continue
        if _clean(element.tail or ""):
            if _fits(role, element.tail):
                yield view.address(element, suffix="/following-sibling::text()[1]")
            continue
        value = element.getnext()
        if value is None and element.getparent() is not None and len(element.getparent()) == 1:
            value = element.getparent().getnext()
        if value is not None and isinstance(value.tag, str) and _fits(role, view.text(value)):
            yield view.address(value)


def _is_label(view: ProductPage, role: ProductRole, element: Any) -> bool:
    text = view.text(element)
    return 2 <= len(text) <= MAX_LABEL_CHARACTERS and bool(LABELS[role].fullmatch(_clean(text)))


def _by_text(view: ProductPage, role: ProductRole) -> Iterator[str]:
    """Yield values that follow their label in one piece of text; the address cuts the label off."""
    for element in view.elements:
        if len(element) > 3:
            continue
        text = view.text(element)
        if not 4 <= len(text) <= MAX_PIECE_CHARACTERS:
            continue
        match = LABELLED[role].match(text.lstrip("( "))
        if match and _fits(role, match["value"].rstrip(_END_MARKS)):
            label = text[: text.index(match["value"], match.end("label"))]
            if "'" not in label and '"' not in label:
                yield _after(element, label, text)


def _after(element: Any, label: str, text: str) -> str:
    """Return the address of what follows `label` in the element's text, without marks at its end."""
    rest = f"substring-after(normalize-space({element.getroottree().getpath(element)}), '{label.strip()}')"
    if text != text.rstrip(_END_MARKS):
        rest = f"translate({rest}, '{_END_MARKS}', '')"
    return f"xpath[0]#xpath:normalize-space({rest})"


def _by_input(view: ProductPage, role: ProductRole) -> Iterator[str]:
    name = _INPUT_NAMES.get(role)
    if name is None:
        return
    for element in view.page.tree.iter("input"):
        if name.fullmatch(element.get("name") or "") and _fits(role, element.get("value") or ""):
            yield view.address(element, suffix="/@value")


def _by_attribute(view: ProductPage, role: ProductRole) -> Iterator[str]:
    for element in view.elements:
        for attribute in _ATTRIBUTES[role]:
            if _fits(role, element.get(attribute) or ""):
                yield view.address(element, suffix=f"/@{attribute}")


def _by_class(view: ProductPage, role: ProductRole) -> Iterator[str]:
    name = _CLASS_NAMES.get(role)
    if name is None:
        return
    for element in view.elements:
        if name.search(names_of(element)) and _fits(role, view.text(element)):
            yield view.address(element)


def _fits(role: ProductRole, text: str) -> bool:
    return bool(SHAPES[role].fullmatch(text.strip()))


def _clean(text: str) -> str:
    return " ".join(text.split()).strip(_MARKS)
