"""The limits of the extractor for product pages: what is one longer or one more does not count."""

import lxml.html
import pytest

from extraction.cascade.product import labels, markup, page, places
from extraction.cascade.product.markup import ProductMarkup
from extraction.cascade.product.page import ProductPage
from extraction.errors import NotApplicable
from extraction.evidence.page import PageInput
from extraction.schema.presets import preset
from extraction.states import ProductRole

GROUP = preset("products").schema.group("product")
BUY = '<form action="/x"><button class="add-to-cart">Go</button></form>'  # says nothing of availability


def page_of(body: str) -> PageInput:
    html = f"<html><head><title>Blue mug</title></head><body><h1>Blue mug</h1>{body}</body></html>"
    return PageInput("https://shop.example/mug", html, "", "Blue mug")


def read(body: str) -> dict[str, object]:
    """Return field → value of a page with a heading and a buy button besides `body`."""
    found = ProductMarkup().extract(page_of(BUY + body), GROUP, frozenset(field.name for field in GROUP.fields))
    return {one.field: getattr(one, "value", None) for one in found}


def padded(text: str, length: int, filler: str = "x") -> str:
    return text + filler * (length - len(text))


@pytest.mark.parametrize(
    ("role", "limit", "make"),
    [
        ("sku", labels.MAX_LABEL_CHARACTERS, lambda n: f"<dl><dt>{padded('SKU', n, ':')}</dt><dd>AB-12</dd></dl>"),
        ("sku", labels.MAX_PIECE_CHARACTERS, lambda n: f"<p>{padded('SKU: AB-12 ', n)}</p>"),
        ("price", places.MAX_PRICE_CHARACTERS, lambda n: f'<b class="price">{"x" * (n - 8)} 19,90 €</b>'),
        ("availability", places.MAX_STOCK_CHARACTERS, lambda n: f'<b class="stock">{padded("Sold out, ", n)}</b>'),
        ("availability", places.MAX_LONE_PHRASE_CHARACTERS, lambda n: f"<b>{padded('Sold out', n, '!')}</b>"),
    ],
    ids=["label", "piece", "price", "stock", "phrase"],
)
def test_a_text_that_is_one_character_too_long_says_nothing(role, limit, make):
    within, beyond = read(make(limit)), read(make(limit + 1))
    assert role in within
    assert role not in beyond


def test_a_page_with_too_many_buy_buttons_offers_no_single_product():
    fields = frozenset({"name"})
    assert ProductMarkup().extract(page_of(BUY * page.MAX_BUY_CONTROLS), GROUP, fields)
    with pytest.raises(NotApplicable):
        ProductMarkup().extract(page_of(BUY * (page.MAX_BUY_CONTROLS + 1)), GROUP, fields)


def test_a_long_caption_makes_no_buy_button():
    def controls(length: int) -> int:
        view = ProductPage(page_of(f'<div class="add-to-cart">{"x" * length}</div>'))
        return len(view.buy_controls)

    assert (controls(page.MAX_CAPTION_CHARACTERS), controls(page.MAX_CAPTION_CHARACTERS + 1)) == (1, 0)


def test_elements_are_looked_at_up_to_a_number():
    assert len(ProductPage(page_of("<i></i>" * (page.MAX_ELEMENTS + 10))).elements) == page.MAX_ELEMENTS


@pytest.mark.parametrize("length", [page.MAX_ELEMENT_CHARACTERS, page.MAX_ELEMENT_CHARACTERS + 1, 100_000])
def test_the_text_of_an_element_that_holds_much_is_not_read(length):
    [element] = lxml.html.fragments_fromstring(f"<p>{'x' * length}</p>")
    assert len(ProductPage(page_of("")).text(element)) == (length if length <= page.MAX_ELEMENT_CHARACTERS else 0)


@pytest.mark.parametrize("is_within", [True, False])
def test_candidates_are_tried_up_to_a_number(monkeypatch, is_within):
    useless = ["xpath[0]#//nothing"] * (markup.MAX_CANDIDATES - is_within)
    candidates = [*useless, "xpath[0]#//h1"]
    monkeypatch.setitem(markup._CANDIDATES, ProductRole.SKU, lambda view: iter(candidates))
    assert ("sku" in read("")) is is_within
