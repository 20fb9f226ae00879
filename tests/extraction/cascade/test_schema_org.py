"""Schema.org values: which node, which property, and at which address."""

from __future__ import annotations

import json

import pytest

from extraction.cascade.extractors.base import Dropped, Found
from extraction.cascade.extractors.schema_org import SchemaOrg
from extraction.errors import NotApplicable
from extraction.evidence.json_repair import BrokenJson, load_json
from extraction.evidence.page import PageInput
from extraction.evidence.verify import verify
from extraction.schema.presets import preset

PRODUCTS = preset("products").schema
URL = "https://shop.example/mugs/blue-mug"


def ld(*documents):
    return "".join(f'<script type="application/ld+json">{json.dumps(d)}</script>' for d in documents)


def read(html, group=None, *, url=URL, text="", title=None):
    """Return {field: value} of everything found, after checking each proof."""
    group = group or PRODUCTS.group("product")
    page = PageInput(url, html, text, title)
    names = frozenset(field.name for field in group.fields)
    found = [f for f in SchemaOrg().extract(page, group, names) if isinstance(f, Found)]
    for one in found:
        assert verify(one.evidence, one.value, group.field(one.field), PageInput(url, html, text)), one
    if group.is_entity_list:
        entities = {}
        for one in found:
            entities.setdefault(one.entity_index, {})[one.field] = one.value
        return list(entities.values())
    values = {}
    for one in found:
        values.setdefault(one.field, one.value)
    return values


MUG = {
    "@context": "https://schema.org",
    "@type": "Product",
    "name": "Blue mug",
    "sku": "M-1",
    "gtin13": "4006381333931",
    "mpn": "BM1",
    "brand": {"@type": "Brand", "name": "Potters"},
    "aggregateRating": {"@type": "AggregateRating", "ratingValue": 4.5, "reviewCount": "1,204"},
    "offers": {
        "@type": "Offer",
        "price": 19.90,
        "priceCurrency": "EUR",
        "availability": "https://schema.org/InStock",
    },
}


def test_a_plain_product():
    values = read(ld(MUG))
    expected = {
        "name": "Blue mug",
        "price": {"amount": "19.9", "currency": "EUR"},
        "currency": "EUR",
        "availability": "InStock",
        "sku": "M-1",
        "gtin": "4006381333931",
        "mpn": "BM1",
        "brand": "Potters",
        "rating": 4.5,
        "review_count": 1204,
    }
    assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize(
    "offers",
    [
        [
            {"@type": "Offer", "price": "19.90", "priceCurrency": "EUR"},
            {"price": "25", "priceCurrency": "EUR"},
        ],
        {"@type": "AggregateOffer", "lowPrice": "19.90", "highPrice": "30", "priceCurrency": "EUR"},
        {"@type": "AggregateOffer", "priceCurrency": "EUR", "offers": [{"@type": "Offer", "price": "19.90"}]},
        {"@type": "Offer", "priceSpecification": {"price": "19.90", "priceCurrency": "EUR"}},
        {
            "@type": "Offer",
            "priceSpecification": [
                {"priceType": "https://schema.org/ListPrice", "price": "29.90", "priceCurrency": "EUR"},
                {"price": "19.90", "priceCurrency": "EUR"},
            ],
        },
        {"@list": [{"@type": ["Thing", "Offer"], "schema:price": "19.90", "schema:priceCurrency": "EUR"}]},
        {"@type": "Offer", "price": {"@value": "19.90"}, "priceCurrency": "EUR"},
    ],
)
def test_prices_wherever_offers_keep_them(offers):
    values = read(ld({**MUG, "offers": offers}))
    assert values["price"] == {"amount": "19.90", "currency": "EUR"}


def test_graphs_and_references():
    graph = {
        "@graph": [
            {"@type": "WebPage", "mainEntity": {"@id": "#p"}},
            {"@id": "#p", "@type": "http://schema.org/Product", "name": "Blue mug", "offers": {"@id": "#o"}},
            {
                "@id": "#o",
                "@type": "Offer",
                "price": "5.00",
                "availability": {"@id": "http://schema.org/PreOrder"},
            },
        ]
    }
    values = read(ld(graph))
    assert values["price"]["amount"] == "5.00"
    assert values["availability"] == "PreOrder"


def test_circular_references_end():
    loop = {"@graph": [{"@id": "#p", "@type": "Product", "name": "x", "offers": {"@id": "#o"}},
                       {"@id": "#o", "@type": "Offer", "offers": {"@id": "#o"}}]}  # fmt: skip
    assert read(ld(loop)) == {"name": "x"}


def test_the_main_product_is_not_a_related_one():
    related = [{"@type": "Product", "name": f"Mug {n}", "offers": {"price": n}} for n in (1, 2)]
    assert read(ld(*related, {**MUG, "url": URL}))["name"] == "Blue mug"
    assert read(ld({**MUG, "isRelatedTo": related}))["name"] == "Blue mug"
    assert read(ld(*related, MUG), title="Blue mug | Shop")["name"] == "Blue mug"


def test_a_listing_of_equals_has_no_main_product():
    with pytest.raises(NotApplicable):
        read(ld(*[{"@type": "Product", "name": f"Mug {n}"} for n in (1, 2, 3)]))


def test_microdata_and_its_text():
    html = """<div itemscope itemtype="http://schema.org/Product"><h1 itemprop="name">Blue mug</h1>
      <div itemprop="offers" itemscope itemtype="http://schema.org/Offer">
      <span itemprop="price">1.299,00 €</span><meta itemprop="priceCurrency" content="EUR">
      <link itemprop="availability" href="http://schema.org/OutOfStock"></div></div>"""
    values = read(html)
    assert values["price"] == {"amount": "1299.00", "currency": "EUR"}
    assert values["availability"] == "OutOfStock"


def test_meta_tags_speak_only_where_no_node_does():
    meta = """<meta property="product:price:amount" content="7.00"><meta property="product:price:currency"
      content="GBP"><meta property="product:brand" content="Other"><meta name="description" content="d">"""
    assert read(meta)["price"] == {"amount": "7.00", "currency": "GBP"}
    both = read(meta + ld({**MUG, "offers": None}))
    assert (both["brand"], both["price"]["amount"]) == ("Potters", "7.00")
    assert read(meta + ld(MUG))["price"]["amount"] == "19.9"


def test_values_of_the_wrong_type_are_dropped_by_name():
    html = ld({**MUG, "offers": {"price": "on request", "availability": "maybe"}})
    group = PRODUCTS.group("product")
    findings = SchemaOrg().extract(PageInput(URL, html, ""), group, frozenset({"price", "availability"}))
    assert {(f.field, f.raw) for f in findings if isinstance(f, Dropped)} == {
        ("price", "on request"),
        ("availability", "maybe"),
    }
    assert not [f for f in findings if isinstance(f, Found)]


def test_entity_lists_make_one_entity_per_node():
    people = [{"@type": "Person", "name": "Ada"}, {"@type": "Person", "name": "Bo", "jobTitle": "Chair"}]
    html = ld({"@type": "Organization", "employee": [*people, people[0]]})
    entities = read(html, preset("default").schema.group("person"))
    assert entities == [{"name": "Ada"}, {"name": "Bo", "job_title": "Chair"}]


def test_articles_people_and_organisations():
    html = ld(
        {
            "@type": "NewsArticle",
            "headline": "Mugs &amp; more",
            "datePublished": "2024-05",
            "author": [{"@type": "Person", "name": "Ada"}, {"@type": "Person", "name": "Bo"}],
            "publisher": {"@type": "Organization", "name": "The Paper"},
        }
    )
    article = read(html, preset("default").schema.group("article"))
    assert article["headline"] == "Mugs & more"
    assert article["date_published"] == "2024-05"
    assert article["author"] == ["Ada", "Bo"]
    assert article["publisher"] == "The Paper"
    organization = read(
        ld(
            {
                "@type": "Restaurant",
                "name": "Chez",
                "telephone": "+49 1",
                "address": {"addressLocality": "Köln"},
            }
        ),
        preset("default").schema.group("organization"),
    )
    assert organization == {"name": "Chez", "telephone": "+49 1", "locality": "Köln"}


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ('{"a": 1.90,}', {"a": "1.90"}),
        ('<!-- {"a": "x // y",} -->', {"a": "x // y"}),
        ('{"a":1}{"b":2}', [{"a": "1"}, {"b": "2"}]),
        ('{"a":"l\n2"};', {"a": "l\n2"}),
        ('// c\n{"u":"http://x","l":[1,,2,]}', {"u": "http://x", "l": ["1", "2"]}),
        ('{"a":"b\\q","c":"d\\\\e"}', {"a": "b\\q", "c": "d\\e"}),
        ('/*<![CDATA[*/{"a":true}/*]]>*/', {"a": True}),
    ],
)
def test_broken_json_is_repaired(source, data):
    assert load_json(source) == data


@pytest.mark.parametrize("source", ["", "{", "no json", "[" * 100_000])
def test_json_beyond_repair_is_said_to_be_so(source):
    with pytest.raises(BrokenJson):
        load_json(source)


def test_one_broken_block_does_not_silence_the_others():
    page = PageInput(URL, '<script type="application/ld+json">{"a"</script>' + ld(MUG), "")
    assert [block.index for block in page.structured.blocks] == [1]
    assert "block 0" in page.structured.problems[0]


@pytest.mark.parametrize("html", ["", b"", b"\xff\xfe", "<?xml version='1.0' encoding='utf-8'?><p>x", "\x00"])
def test_pages_without_data_are_not_applicable(html):
    with pytest.raises(NotApplicable):
        read(html)
