"""Selectors: CSS and XPath, text and attributes, addresses that lead back."""

from __future__ import annotations

import pytest

from extraction.cascade.extractors.base import Dropped, Found
from extraction.cascade.extractors.selectors import Selectors
from extraction.errors import NotApplicable, SchemaInvalid
from extraction.evidence.page import PageInput
from extraction.evidence.verify import verify
from extraction.schema.model import FieldGroup
from extraction.schema.selectors import compile_selector

HTML = """<html lang="de"><body><h1> Blue
  <b>mug</b><script>no()</script></h1><!-- x -->
<ul><li class="row"><a href="/a">A</a> <i>10 €</i></li>
<li class="row"><a href="/b">B</a> <i>12,50 €</i></li></ul>
<p class="tag">red</p><p class="tag"></p><p class="tag">green</p></body></html>"""
URL = "https://shop.example/x/"


def read(fields, *, is_list=False, text=""):
    group = FieldGroup.model_validate({"name": "g", "is_entity_list": is_list, "fields": fields})
    page = PageInput(URL, HTML, text)
    findings = list(Selectors().extract(page, group, frozenset(f["name"] for f in fields)))
    for one in findings:
        if isinstance(one, Found):
            assert verify(one.evidence, one.value, group.field(one.field), PageInput(URL, HTML, text)), one
    return findings


@pytest.mark.parametrize(
    ("selector", "kind", "value"),
    [
        ("h1", "text", "Blue mug"),
        ("h1::text", "text", "Blue mug"),
        ("html::attr(lang)", "text", "de"),
        ("a::attr(href)", "url", "https://shop.example/a"),
        ("//li[2]/a/@href", "url", "https://shop.example/b"),
        ("xpath:count(//li)", "integer", 2),
        (".//li[2]/i", "money", {"amount": "12.50", "currency": "€"}),
        ("p.tag", "list", ["red", "green"]),
    ],
)
def test_values_by_selector(selector, kind, value):
    (found,) = read([{"name": "f", "selector": selector, "field_type": kind}])
    assert found.value == value
    assert found.evidence.pointer.endswith(f"#{selector}")


def test_the_address_counts_matches_and_the_text_is_marked_too():
    (found,) = read([{"name": "f", "selector": "i", "pattern": r"(\d+,\d+)", "field_type": "float"}], text="um 12,50 €")
    assert found.value == 12.5
    assert found.evidence.pointer == "css[1]#i"
    assert (found.evidence.start, found.evidence.end) == (3, 10)


def test_what_is_no_value_is_dropped_by_name():
    (finding,) = read([{"name": "f", "selector": "h1", "field_type": "integer"}])
    assert isinstance(finding, Dropped)
    assert finding.raw == "Blue mug"


def test_lists_pair_matches_only_when_they_match_equally_often():
    names = {"name": "n", "selector": "li a"}
    findings = read([names, {"name": "p", "selector": "li i", "field_type": "money"}], is_list=True)
    assert [(f.entity_index, f.field) for f in findings] == [(0, "n"), (1, "n"), (0, "p"), (1, "p")]
    with pytest.raises(NotApplicable):
        read([names, {"name": "t", "selector": "p.tag"}], is_list=True)


def test_no_match_is_not_applicable():
    with pytest.raises(NotApplicable):
        read([{"name": "f", "selector": "h6"}])


@pytest.mark.parametrize("selector", ["a[", "//a[", "a::before(", "//", "xpath:"])
def test_broken_selectors_are_refused(selector):
    with pytest.raises(SchemaInvalid):
        compile_selector(selector)
