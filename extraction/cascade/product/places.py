"""Where a product page shows heading, price and availability: addresses of candidates, best first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from price_parser import Price

from extraction.cascade.product.page import ProductPage, names_of
from extraction.cascade.product.words import (
    CURRENT_PRICE_NAME,
    FORMER_PRICE_NAME,
    PRICE_NAME,
    STOCK_NAME,
)
from extraction.errors import BadValue
from extraction.values.availability import availability_named, is_only_availability
from extraction.values.money import parse_money

MAX_PRICE_CHARACTERS = 40
MAX_STOCK_CHARACTERS = 120
MAX_LONE_PHRASE_CHARACTERS = 30
#: An amount with its currency and nothing else: what stands like this beside a product's heading is its price.
_BARE_PRICE = re.compile(
    r"(?:[$€£¥₹]|EUR|USD|GBP|CHF|Rs\.?)\s?\d[\d.,\s]*|\d[\d.,\s]*\s?(?:[$€£¥₹]|EUR|USD|GBP|CHF|zł|Kč|Kn|kr\.?|руб\.?)"
)
_FAR_ELEMENTS = 1500
_NEAR_ELEMENTS = 300
_PHRASE_FREE_TAGS = frozenset({"h1", "a", "button", "form", "label"})


def heading_places(view: ProductPage) -> Iterator[str]:
    """Yield the heading's address."""
    if view.heading is not None:
        yield view.address(view.heading)


def price_places(view: ProductPage) -> Iterator[str]:
    """Yield the addresses of shown prices: named as price, with one amount, near and after the heading."""
    ranked = sorted(_prices(view), key=lambda price: -price[0])
    for _, element in ranked:
        yield view.address(element)


def _prices(view: ProductPage) -> Iterator[tuple[float, Any]]:
    for number, element in enumerate(view.elements):
        text = view.text(element)
        if not 0 < len(text) <= MAX_PRICE_CHARACTERS:
            continue
        names = names_of(element)
        is_named = bool(PRICE_NAME.search(names)) or _is_price_part(element)
        is_bare = number > view.heading_number > 0 and bool(_BARE_PRICE.fullmatch(text))
        if (is_named or is_bare) and _is_price(text) and not view.is_former(element, FORMER_PRICE_NAME):
            yield _price_score(view, number, names, text) - (0.0 if is_named else 1.5), element


def _is_price_part(element: Any) -> bool:
    parent = element.getparent()
    return parent is not None and bool(PRICE_NAME.search(names_of(parent)))


def _is_price(text: str) -> bool:
    try:
        money = parse_money(text, hint=None, machine=False)
    except BadValue:
        return False
    return float(money["amount"]) > 0


def _price_score(view: ProductPage, number: int, names: str, text: str) -> float:
    """Return how likely this is the price asked: it says a currency, is named so, and follows the heading."""
    distance = number - view.heading_number
    score = 2.0 if Price.fromstring(text).currency else 0.0
    score += 0.6 if CURRENT_PRICE_NAME.search(names) else 0.0
    score -= 2.0 * min(abs(distance), _FAR_ELEMENTS) / _FAR_ELEMENTS
    return score - (0.5 if distance < 0 else 0.0)


def stock_places(view: ProductPage) -> Iterator[str]:
    """Yield the addresses of short texts about availability, the one nearest to the heading first."""
    found = []
    for number, element in enumerate(view.elements):
        if not STOCK_NAME.search(names_of(element)):
            continue
        text = view.text(element)
        if text and len(text) <= MAX_STOCK_CHARACTERS and availability_named(text):
            found.append((abs(number - view.heading_number), number, element))
    for _, _, element in sorted(found, key=lambda one: one[:2]):
        yield view.address(element)


def buy_places(view: ProductPage) -> Iterator[str]:
    """Yield the addresses of enabled buy buttons' captions: a thing that can be ordered now is in stock."""
    for control in view.buy_controls:
        if "disabled" in control.attrib or re.search(r"disabled", control.get("class", ""), re.I):
            continue
        if control.tag == "input":
            if availability_named(control.get("value") or ""):
                yield view.address(control, suffix="/@value")
        elif availability_named(view.text(control)):
            yield view.address(control)
        elif availability_named(control.get("title") or ""):
            yield view.address(control, suffix="/@title")


def phrase_places(view: ProductPage) -> Iterator[str]:
    """Yield the addresses of short texts after the heading that say nothing but the availability."""
    last = view.heading_number + _NEAR_ELEMENTS
    for element in view.elements[view.heading_number : last] if view.heading is not None else []:
        text = view.text(element)
        is_short = 2 < len(text) <= MAX_LONE_PHRASE_CHARACTERS
        if is_short and element.tag not in _PHRASE_FREE_TAGS and is_only_availability(text):
            yield view.address(element)
