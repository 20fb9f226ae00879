"""Evidence: quotes are found where they stand, and never where another number stands."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from extraction.evidence.locating import MAX_FUZZY_CHARACTERS
from extraction.evidence.page import PageInput
from extraction.evidence.verify import Evidence, locate, markup_evidence, text_evidence, verify
from extraction.schema.model import FieldSpec
from extraction.states import Match

TEXT = "# Acme\n\nFounded in 1987, **Acme Corp.** employs 1,250 people — it’s based in Köln.\n\nPrice: 119.99 EUR"


def digits(text):
    return [int(c) for c in text if c.isdecimal()]


@pytest.mark.parametrize(
    ("quote", "found", "match"),
    [
        ("employs 1,250 people", "employs 1,250 people", "exact"),
        ("ACME corp. employs", "Acme Corp.** employs", "normalised"),
        ("people - it's based", "people — it’s based", "normalised"),
        ("based in Köln", "based in Köln", "exact"),
        ("employs 1,250 peoples - it is based", "employs 1,250 people — it’s based", "fuzzy"),
    ],
)
def test_a_quote_is_found_in_its_own_words(quote, found, match):
    span = locate(TEXT, quote)
    assert span is not None
    assert (TEXT[span.start : span.end], span.match) == (found, match)


@pytest.mark.parametrize(
    "quote",
    [
        "employs 1,260 people — it’s based in Köln",
        "19.99 EUR",
        "Price: 119",
        "250 people",
        "Founded in 198",
        "Found",
        "",
        "   ",
        "nothing of the sort is written here",
    ],
)
def test_changed_or_cut_quotes_are_not_found(quote):
    assert locate(TEXT, quote) is None


def test_similarity_is_not_tried_on_quotes_beyond_the_limit():
    sentence = "The probe is lowered into the river and cleaned with water afterwards. "
    text = sentence * (MAX_FUZZY_CHARACTERS // len(sentence) + 2)

    def nearly(length):
        return text[:length].replace("probe", "probes", 1)[:length]

    within = nearly(MAX_FUZZY_CHARACTERS)
    assert locate(text, within).match is Match.FUZZY
    assert locate(text, nearly(MAX_FUZZY_CHARACTERS + 1)) is None


def test_a_changed_month_or_a_negation_never_passes():
    text = "The offer ends on 3 March 2024 for all of our customers. It is not available in Germany today."
    assert locate(text, "The offer ends on 3 March 2024 for all our customers") is not None
    assert locate(text, "The offer ends on 3 May 2024 for all of our customers") is None
    assert locate(text, "It is now available in Germany today.") is None


WORDS = st.lists(st.text("abcdefghé0123456789.,- —", min_size=1, max_size=9), min_size=1, max_size=25).map(" ".join)


@given(text=WORDS, quote=WORDS)
def test_locate_never_changes_a_digit(text, quote):
    span = locate(text, quote)
    if span is not None:
        assert 0 <= span.start < span.end <= len(text)
        assert digits(text[span.start : span.end]) == digits(quote)


@given(text=WORDS, data=st.data())
def test_a_slightly_changed_quote_keeps_its_digits_or_is_refused(text, data):
    assume(len(text) > 3)
    start = data.draw(st.integers(0, len(text) - 2))
    end = data.draw(st.integers(start + 1, len(text)))
    place = data.draw(st.integers(start, end - 1))
    quote = text[start:place] + data.draw(st.sampled_from("0123456789ax ")) + text[place + 1 : end]
    span = locate(text, quote)
    if span is not None:
        assert digits(text[span.start : span.end]) == digits(quote)


@given(before=st.text(max_size=30), value=st.text(min_size=1, max_size=40), after=st.text(max_size=30))
def test_exact_text_evidence_verifies_and_moved_evidence_does_not(before, value, after):
    assume(value.strip() and any(c.isalnum() for c in value) and "<" not in value and "&" not in value)
    assume("\x00" not in value and "\ufeff" not in value)
    text = f"{before} {value} {after}"
    page = PageInput("https://a.example/", "", text)
    evidence = text_evidence(page, value, method="test", confidence=1)
    assume(evidence is not None)
    field = FieldSpec(name="f", field_type="text")
    stated = " ".join(evidence.quote.split())
    assert verify(evidence, stated, field, page)
    moved = evidence.model_copy(update={"end": evidence.end + len(text)})
    assert not verify(moved, stated, field, page)
    assert not verify(evidence, stated + " more9", field, page)


def page_with(html, text=""):
    return PageInput("https://shop.example/p", html, text)


def test_markup_is_read_again_and_parsed_again():
    html = '<script type="application/ld+json">{"@type":"Product","offers":{"price":19.90}}</script>'
    page = page_with(html, text="It costs 19.90 only")
    evidence = markup_evidence(page, "19.90", "json-ld[0]#/offers/price", method="m", confidence=0.9)
    field = FieldSpec(name="price", field_type="money")
    assert page.text[evidence.start : evidence.end] == "19.90"
    assert verify(evidence, {"amount": "19.90", "currency": None}, field, page)
    assert not verify(evidence, {"amount": "19.9", "currency": None}, field, page)
    assert not verify(evidence, {"amount": "19.90", "currency": "EUR"}, field, page)
    changed = page_with(html.replace("19.90", "29.90"))
    assert not verify(evidence, {"amount": "19.90", "currency": None}, field, changed)


@pytest.mark.parametrize(
    "pointer",
    ["json-ld[7]#/x", "json-ld[0]#/offers", "css[3]#h1", "css[0]#h1[[", "nonsense", "meta[0]#/og:title/9"],
)
def test_addresses_that_lead_nowhere_prove_nothing(pointer):
    page = page_with("<title>x</title><h1>A</h1>")
    evidence = Evidence(kind="markup", quote="A", pointer=pointer, method="m", confidence=1)
    assert not verify(evidence, "A", FieldSpec(name="f"), page)


@pytest.mark.parametrize(
    ("kind", "value", "holds"),
    [
        ("integer", 1250, True),
        ("integer", 1260, False),
        ("float", 1987.0, True),
        ("text", "Acme Corp.", True),
        ("text", "Umbrella", False),
        ("date", "1987", True),
        ("date", "1986", False),
        ("list", ["Acme", "people"], True),
        ("list", ["Acme", "cattle"], False),
        ("boolean", True, True),
    ],
)
def test_a_quoted_sentence_must_state_the_value(kind, value, holds):
    page = page_with("", TEXT)
    evidence = text_evidence(page, "Founded in 1987, **Acme Corp.** employs 1,250 people", method="llm", confidence=1)
    assert verify(evidence, value, FieldSpec(name="f", field_type=kind), page) is holds


def test_prices_in_sentences_need_amount_and_currency():
    page = page_with("", TEXT)
    evidence = text_evidence(page, "Price: 119.99 EUR", method="llm", confidence=1)
    field = FieldSpec(name="f", field_type="money")
    assert verify(evidence, {"amount": "119.99", "currency": "EUR"}, field, page)
    assert not verify(evidence, {"amount": "19.99", "currency": "EUR"}, field, page)
    assert not verify(evidence, {"amount": "119.99", "currency": "USD"}, field, page)


def test_ungrounded_claims_never_verify_and_stored_form_is_small():
    claim = Evidence(kind="ungrounded", quote="A", method="llm", confidence=0.5)
    assert not verify(claim, "A", FieldSpec(name="f"), page_with("", "A"))
    assert claim.to_json() == {"kind": "ungrounded", "quote": "A", "method": "llm", "confidence": 0.5}
    assert Evidence.model_validate(claim.to_json()) == claim
