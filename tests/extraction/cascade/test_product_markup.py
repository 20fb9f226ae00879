"""Product pages without structured data: general markup rules, and when to keep silent."""

from __future__ import annotations

import pytest

from extraction.cascade.product.markup import ProductMarkup
from extraction.errors import NotApplicable
from extraction.evidence.page import PageInput
from extraction.evidence.verify import verify
from extraction.schema.presets import preset
from extraction.values.availability import availability_named, is_only_availability

GROUP = preset("products").schema.group("product")
URL = "https://shop.example/mug"
BUY = '<form action="/x"><button class="add-to-cart">Add to basket</button></form>'


def read(body, *, title="Blue mug - Shop"):
    html = f"<html><head><title>{title}</title></head><body>{body}</body></html>"
    page = PageInput(URL, html, "", title)
    found = ProductMarkup().extract(page, GROUP, frozenset(field.name for field in GROUP.fields))
    for one in found:
        assert one.evidence.kind == "markup"
        assert one.evidence.confidence <= 0.6
        assert verify(one.evidence, one.value, GROUP.field(one.field), PageInput(URL, html, "")), one
    return {one.field: one.value for one in found}


def test_a_whole_page():
    values = read(
        f"""<nav><a class="price">1 €</a></nav><h1>Blue mug</h1>
        <div class="product-price"><del>29,90 €</del> <span class="current-price">19,90 €</span></div>
        <p class="stock-info">Auf Lager, 2 Tage</p>{BUY}
        <table><tr><th>Marke</th><td>Potters</td></tr><tr><th>Modellnummer</th><td>BM-100</td></tr></table>
        <ul><li>Artikelnummer: AB-12/7</li><li><b>EAN</b>: 4006381333931</li></ul>
        <div class="related"><h2>Others</h2><span class="price">5,00 €</span></div>"""
    )
    assert values == {
        "name": "Blue mug",
        "price": {"amount": "19.90", "currency": "€"},
        "availability": "InStock",
        "sku": "AB-12/7",
        "gtin": "4006381333931",
        "mpn": "BM-100",
        "brand": "Potters",
    }


@pytest.mark.parametrize(
    ("markup", "sku"),
    [
        ("<dl><dt>SKU</dt><dd>AB-12</dd></dl>", "AB-12"),
        ("<p>SKU: <span>AB-12</span></p>", "AB-12"),
        ("<p><b>Ref.</b> AB-12</p>", "AB-12"),
        ('<span itemprop="sku" content="AB-12">x</span>', "AB-12"),
        ('<input type="hidden" name="sku" value="AB-12">', "AB-12"),
        ('<div data-sku="AB-12"></div>', "AB-12"),
        ("<ul><li>SKU</li><li>Weight 12kg</li></ul>", None),
        ("<p>SKU: none</p>", None),
    ],
)
def test_article_numbers_beside_their_labels(markup, sku):
    assert read(f"<h1>Blue mug</h1>{BUY}{markup}").get("sku") == sku


@pytest.mark.parametrize(
    "markup",
    [
        '<span class="old-price">29,90 €</span>',
        '<div class="was"><span class="price">29,90 €</span></div>',
        '<span class="price">from 10 € to 20 €</span>',
        '<span class="price">Free</span>',
        '<span class="price" style="display: none">9,90 €</span>',
        '<aside><span class="price">9,90 €</span></aside>',
        '<span class="price">-20%</span>',
    ],
)
def test_what_is_not_the_price_asked(markup):
    assert "price" not in read(f"<h1>Blue mug</h1>{BUY}{markup}")


def test_a_disabled_button_is_no_stock():
    body = '<h1>Blue mug</h1><button class="add-to-cart" disabled>Add to basket</button><p class="sku">AB-12</p>'
    assert "availability" not in read(body)


@pytest.mark.parametrize(
    "body",
    [
        "<h1>About mugs</h1><p>Brand: Potters</p>",
        "<h1>All mugs</h1>" + BUY * 40,
        "",
        f"<p>no heading</p>{BUY}",
    ],
)
def test_pages_that_offer_no_single_product_get_no_answer(body):
    with pytest.raises(NotApplicable):
        read(body)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Currently unavailable.", "OutOfStock"),
        ("nicht verfügbar", "OutOfStock"),
        ("Only 3 left in stock", "InStock"),
        ("Не в наличии? Есть в наличии", "InStock"),
        ("Vorbestellbar", "PreOrder"),
        ("A cup of tea", None),
        ("in stock " * 40, None),
    ],
)
def test_availability_in_words(text, name):
    assert availability_named(text) == name


def test_only_availability_means_nothing_else():
    assert is_only_availability("In stock!")
    assert not is_only_availability("In stock tomorrow")
