"""Proof that a value stands on its page, and the one place where such proof is made and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from extraction.errors import BadValue, SchemaInvalid
from extraction.evidence.locating import Span, locate, locate_verbatim, same_figures
from extraction.evidence.page import PageInput
from extraction.schema.model import FieldSpec, FieldType
from extraction.schema.selectors import compile_selector
from extraction.states import EvidenceKind, SelectorLanguage
from extraction.values.numbers import NUMBER, decimal_of
from extraction.values.parse import Value, narrow, parse_list, parse_value

__all__ = [
    "JOINED",
    "Evidence",
    "Place",
    "Span",
    "locate",
    "locate_verbatim",
    "markup_evidence",
    "quote_states",
    "read_address",
    "same_figures",
    "text_evidence",
    "verify",
]

#: Types whose merged value is one line per finding.
JOINED = frozenset({FieldType.TEXT, FieldType.SUMMARY})
_JUDGED = frozenset({FieldType.BOOLEAN, FieldType.ENUM, FieldType.SUMMARY})
_NUMERIC = frozenset({FieldType.INTEGER, FieldType.FLOAT})
_SELECTOR_ADDRESS = re.compile(rf"({'|'.join(SelectorLanguage)})\[(\d{{1,6}})\]#(.+)", re.S)
_DATE_LIKE = (
    re.compile(r"\d{4}-\d{2}(?:-\d{2})?"),
    re.compile(r"[\w.,' /-]{6,40}?\d{4}"),
    re.compile(r"(?<!\d)\d{4}(?!\d)"),
)


class Place(BaseModel):
    """A raw string and the markup address it stands at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pointer: str
    quote: str


class Evidence(BaseModel):
    """What proves one value.

    kind: `text`: `text[start:end]` of the evidence text is `quote`. `markup`: `quote` is the raw string at
    `pointer`: `json-ld[0]#/offers/price`, `microdata[n]#…`, `meta[0]#/og:title/0`, `css[n]#h1` or
    `xpath[n]#//h1` (n-th block or match, from 0); `start` and `end` then say where the same words also stand
    in the text, if they do. `ungrounded`: `quote` is only claimed.
    hint: the second place, where a price's currency was read.
    parts: for lists, the proof of the further items; the first item's is this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: EvidenceKind
    quote: str
    method: str
    confidence: float = Field(ge=0, le=1)
    start: int | None = None
    end: int | None = None
    pointer: str | None = None
    hint: Place | None = None
    parts: tuple[Evidence, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the stored form, without empty keys."""
        stored = self.model_dump(mode="json", exclude_none=True, exclude={"parts"})
        return stored | ({"parts": [part.to_json() for part in self.parts]} if self.parts else {})

    @property
    def is_machine_written(self) -> bool:
        """Whether the quote is structured data, where `.` is always the decimal point."""
        return self.pointer is not None and not _SELECTOR_ADDRESS.fullmatch(self.pointer)


def text_evidence(page: PageInput, quote: str, *, method: str, confidence: float) -> Evidence | None:
    """Return proof by the place where `quote` stands in the evidence text, quoting the text's own words.

    None when it stands nowhere. A place that is only similar lowers the confidence accordingly.
    """
    span = locate(page.text, quote)
    if span is None:
        return None
    found = page.text[span.start : span.end]
    certainty = confidence * span.similarity / 100
    return Evidence(
        kind=EvidenceKind.TEXT, quote=found, start=span.start, end=span.end, method=method, confidence=certainty
    )


def markup_evidence(
    page: PageInput, quote: str, pointer: str, *, method: str, confidence: float, hint: Place | None = None
) -> Evidence:
    """Return proof by a markup address; with the text's span too where the same words stand there."""
    span = locate_verbatim(page.text, quote) if 3 <= len(quote) <= 500 else None
    return Evidence(
        kind=EvidenceKind.MARKUP,
        quote=quote,
        pointer=pointer,
        hint=hint,
        method=method,
        confidence=confidence,
        start=span.start if span else None,
        end=span.end if span else None,
    )


def read_address(page: PageInput, pointer: str) -> str | None:
    """Return the raw string that stands at a markup address now, or None."""
    match = _SELECTOR_ADDRESS.fullmatch(pointer)
    if match is None:
        return page.structured.read(pointer)
    try:
        raws = compile_selector(match[3]).read(page.tree)
    except SchemaInvalid:
        return None
    number = int(match[2])
    return raws[number] if number < len(raws) else None


def verify(evidence: Evidence, value: Value, field: FieldSpec, page: PageInput) -> bool:
    """Return whether the proof holds: each quote stands at its place and states the value."""
    places = (evidence, *evidence.parts)
    if not all(_stands(place, page) for place in places):
        return False
    if all(place.kind is EvidenceKind.TEXT for place in places):
        return _supports(places, value, field, page)
    try:
        return _parsed(places, field, page) == value
    except BadValue:
        return False


def _stands(evidence: Evidence, page: PageInput) -> bool:
    if evidence.kind is EvidenceKind.TEXT:
        start, end = evidence.start, evidence.end
        if start is None or end is None or not 0 <= start < end <= len(page.text):
            return False
        return page.text[start:end] == evidence.quote
    if evidence.kind is not EvidenceKind.MARKUP or evidence.pointer is None:
        return False
    hint = evidence.hint
    if hint is not None and read_address(page, hint.pointer) != hint.quote:
        return False
    return read_address(page, evidence.pointer) == evidence.quote


def _parsed(places: tuple[Evidence, ...], field: FieldSpec, page: PageInput) -> Value:
    """Return the value that the quotes state, parsed as on the day they were found."""
    raws = [e.quote if e.is_machine_written else narrow(e.quote, field) for e in places]
    if field.field_type is FieldType.LIST:
        return parse_list(raws, field)
    first = places[0]
    if len(places) > 1 and field.field_type in JOINED:
        return "\n".join(dict.fromkeys(str(parse_value(raw, field)) for raw in raws))
    hint = first.hint.quote if first.hint else None
    return parse_value(raws[0], field, hint=hint, url=page.url, machine=first.is_machine_written)


def _supports(places: tuple[Evidence, ...], value: Value, field: FieldSpec, page: PageInput) -> bool:
    """Return whether quoted sentences state `value`, alone or among other words.

    Booleans, enums and summaries are judgements over their quote: that it stands there is all one can check.
    """
    if field.field_type in _JUDGED:
        return True
    quotes = [place.quote for place in places]
    if isinstance(value, list):
        return all(any(locate(quote, item) for quote in quotes) for item in value)
    if len(quotes) > 1 and isinstance(value, str):
        return all(any(locate(quote, line) for quote in quotes) for line in value.split("\n"))
    return any(quote_states(quote, value, field, url=page.url) for quote in quotes)


def quote_states(quote: str, value: Value, field: FieldSpec, *, url: str = "") -> bool:
    """Return whether `quote` states `value`: parsed whole, by the field's pattern, or at some part of it."""
    for raw in _readings(quote, field):
        with suppress(BadValue):
            if parse_value(raw, field, url=url) == value:
                return True
    if field.field_type in _NUMERIC and isinstance(value, int | float):
        return any(number == Decimal(str(value)) for number in _numbers(quote))
    if field.field_type is FieldType.MONEY and isinstance(value, dict):
        currency = value.get("currency")
        is_beside = currency is None or str(currency).casefold() in quote.casefold()
        return is_beside and any(number == Decimal(str(value.get("amount"))) for number in _numbers(quote))
    is_wording = isinstance(value, str) and field.field_type in (FieldType.TEXT, FieldType.URL)
    return is_wording and bool(locate(quote, str(value)))


def _readings(quote: str, field: FieldSpec) -> Iterator[str]:
    yield quote
    with suppress(BadValue):
        yield narrow(quote, field)
    if field.field_type is FieldType.DATE:
        yield from (match[0] for pattern in _DATE_LIKE for match in pattern.finditer(quote))


def _numbers(quote: str) -> Iterator[Decimal]:
    for token in NUMBER.findall(quote):
        with suppress(BadValue):
            yield decimal_of(token)
