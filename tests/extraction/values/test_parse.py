"""Typed values: what raw strings mean, and what they must not be made to mean."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extraction.schema.model import FieldSpec
from extraction.values.availability import MAX_PHRASE_CHARACTERS, availability_named
from extraction.values.parse import MAX_TEXT_CHARACTERS, BadValue, checked, narrow, parse_list, parse_value


def field(kind, **more):
    return FieldSpec(name="f", field_type=kind, **more)


AVAILABILITY = field("enum", enum_values=["InStock", "OutOfStock", "PreOrder"])


@pytest.mark.parametrize(
    ("raw", "amount", "currency"),
    [
        ("$1,299.00", "1299.00", "$"),
        ("1.299,00 €", "1299.00", "€"),
        ("35€99", "35.99", "€"),
        ("Rs. 635,000", "635000", "Rs"),
        ("-5 €", "-5", "€"),
        ("19.90", "19.90", None),
        ("2.449", "2449", None),
    ],
)
def test_written_prices(raw, amount, currency):
    assert parse_value(raw, field("money")) == {"amount": amount, "currency": currency}


def test_machine_prices_use_the_decimal_point_and_the_currency_beside_them():
    price = parse_value("2.449", field("money"), hint="ARS", machine=True)
    assert price == {"amount": "2.449", "currency": "ARS"}


@pytest.mark.parametrize("raw", ["Free", "", "call us", "19,99 - 29,99 €", "€", "9" * 300])
def test_what_is_no_single_amount_is_refused(raw):
    with pytest.raises(BadValue):
        parse_value(raw, field("money"))


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("1,234", 1234),
        ("1.234", 1234),
        ("1 234 567", 1234567),
        ("120 employees", 120),
        ("5 million", 5_000_000),
    ],
)
def test_thousands_and_scales(raw, number):
    assert parse_value(raw, field("integer")) == number


@pytest.mark.parametrize("raw", ["10-20", "0.5", "none", "3 of 5", "12²", "٣٤"])
def test_what_is_no_single_whole_number_is_refused(raw):
    with pytest.raises(BadValue):
        parse_value(raw, field("integer"))


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        ("2024-05", "2024-05"),
        ("2024", "2024"),
        ("2024-05-03T23:59:00-08:00", "2024-05-03"),
        ("20240503", "2024-05-03"),
        ("May 3rd, 2024", "2024-05-03"),
        ("3. März 2024", "2024-03-03"),
        ("Published on 1 de enero de 2020", "2020-01-01"),
        ("May 2024", "2024-05"),
        ("25/04/2024", "2024-04-25"),
        ("04.05.2024", "2024-05-04"),
    ],
)
def test_dates_keep_exactly_what_they_say(raw, iso):
    assert parse_value(raw, field("date")) == iso


@pytest.mark.parametrize("raw", ["03/04/2024", "today", "May 3", "2024-13-01", "30 February 2024", "10", "3/4/24"])
def test_dates_that_would_need_guessing_are_refused(raw):
    with pytest.raises(BadValue):
        parse_value(raw, field("date"))


@pytest.mark.parametrize("raw", ["http://schema.org/InStock", "https://schema.org/InStock", "instock", "in stock"])
def test_enumerations_by_address_or_spelling(raw):
    assert parse_value(raw, AVAILABILITY) == "InStock"


def test_an_unknown_enumeration_value_is_refused():
    with pytest.raises(BadValue, match="allowed values"):
        parse_value("http://schema.org/Discontinued", AVAILABILITY)


def test_texts_lose_entities_and_tags_only():
    assert parse_value(" Salt &amp;\n <b>Pepper</b> 3 < 4 ", field("text")) == "Salt & Pepper 3 < 4"
    with pytest.raises(BadValue):
        parse_value(" <br> ", field("text"))


def test_addresses_are_made_absolute_and_must_be_http():
    address = parse_value("/a?b=1&amp;c=2", field("url"), url="https://shop.example/x/")
    assert address == "https://shop.example/a?b=1&c=2"
    for raw in ("javascript:alert(1)", "mailto:a@b.example", "http://[", ""):
        with pytest.raises(BadValue):
            parse_value(raw, field("url"), url="" if raw else "https://shop.example/")


def test_lists_are_split_and_distinct():
    assert parse_list(["red, Green; blue", "RED"], field("list")) == ["red", "Green", "blue"]
    with pytest.raises(BadValue):
        parse_list([" , "], field("list"))


def test_patterns_narrow():
    spec = field("integer", pattern=r"(\d+) employees")
    assert narrow("since 1990, 250 employees", spec) == "250"
    with pytest.raises(BadValue):
        narrow("many", spec)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("integer", True), ("integer", "7"), ("money", 7), ("float", float("nan")), ("text", None)],
)
def test_checked_refuses_other_types(kind, value):
    with pytest.raises(BadValue):
        checked(value, field(kind))


def test_checked_takes_whole_numbers_as_floats():
    assert checked(3, field("float")) == 3.0


@given(
    raw=st.text(max_size=80),
    kind=st.sampled_from(["text", "integer", "float", "boolean", "date", "list", "url", "money"]),
)
def test_parsing_gives_a_stored_form_or_bad_value_and_never_changes_its_mind(raw, kind):
    spec = field(kind)
    try:
        value = parse_value(raw, spec)
    except BadValue:
        return
    assert checked(value, spec) == value == parse_value(raw, spec)


@given(number=st.decimals(min_value=0, max_value=10**9, places=2))
def test_english_and_german_prices_agree(number):
    english = f"{number:,.2f}"
    german = english.translate(str.maketrans(",.", ".,"))
    for written in (f"€ {english}", f"{german} €"):
        assert Decimal(parse_value(written, field("money"))["amount"]) == number


def test_a_text_beyond_the_limit_is_refused():
    field = FieldSpec(name="f")
    assert len(parse_value("x" * MAX_TEXT_CHARACTERS, field)) == MAX_TEXT_CHARACTERS
    with pytest.raises(BadValue, match=f"more than {MAX_TEXT_CHARACTERS} characters"):
        parse_value("x" * (MAX_TEXT_CHARACTERS + 1), field)


def test_a_long_text_names_no_availability():
    assert availability_named("in stock".ljust(MAX_PHRASE_CHARACTERS, ".")) == "InStock"
    assert availability_named("in stock".ljust(MAX_PHRASE_CHARACTERS + 1, ".")) is None
