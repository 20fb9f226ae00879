"""Raw strings turned into the stored value of a field's type, the same way each time.

Stored forms: text, url, enum, summary: str; integer: int; float: float; boolean: bool; date: `YYYY-MM-DD`,
`YYYY-MM` or `YYYY`; list: list of distinct str; money: {"amount": decimal string, "currency": str or None}.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from extraction.errors import BadValue
from extraction.schema.model import FieldSpec, FieldType, has_stored_form
from extraction.states import Availability
from extraction.values.availability import availability_named
from extraction.values.dates import parse_date
from extraction.values.money import parse_money
from extraction.values.numbers import parse_number

__all__ = ["BadValue", "Value", "checked", "narrow", "parse_list", "parse_value", "plain_text"]

Value = str | int | float | bool | list[str] | dict[str, Any]

MAX_TEXT_CHARACTERS = 50_000
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->", re.S)
_PLACEHOLDER = re.compile(
    r"\$\{?[A-Za-z_][\w.]*\}?|\{\{[^{}]*\}\}|\{%.*%\}|<%.*%>|undefined|null|NaN|\[object Object\]"
)
_SPACE = re.compile(r"\s+")
_LIST_SPLIT = re.compile(r"[;\n|•]+|,(?!\d)")
_TRUE = frozenset({"true", "yes", "1", "on", "y", "ja", "oui", "si", "sí", "sim"})
_FALSE = frozenset({"false", "no", "0", "off", "n", "nein", "non", "não", "nee"})
_IRI_START = re.compile(r"https?://(?:www\.)?schema\.org/", re.I)


def parse_value(raw: str, field: FieldSpec, *, hint: str | None = None, url: str = "", machine: bool = False) -> Value:
    """Return the typed value that `raw` states for `field`.

    hint: a second raw string that completes the first (the currency of a price). url: base of relative links.
    machine: `raw` was written for programs, so `.` is the decimal point.
    Raises: BadValue, saying what is wrong with `raw`.
    """
    if field.field_type is FieldType.MONEY:
        return parse_money(raw, hint=hint, machine=machine)
    if field.field_type is FieldType.URL:
        return _parse_url(raw, url)
    if field.field_type in (FieldType.INTEGER, FieldType.FLOAT):
        return _parse_numeric(raw, field.field_type, machine=machine)
    return _PLAIN_PARSERS[field.field_type](raw, field)


def checked(value: Any, field: FieldSpec) -> Value:
    """Return `value` when it has the stored form of the field's type. Raises: BadValue.

    For extractors that produce typed values themselves; an integer is a fine float, nothing else is
    converted.
    """
    if field.field_type is FieldType.FLOAT and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError as error:
            raise BadValue("The number is too large.") from error
    if not has_stored_form(value, field.field_type, field.enum_values):
        raise BadValue(f"{str(value)[:80]!r} is not a value of type {field.field_type}.")
    return cast(Value, value)


def parse_list(raws: list[str], field: FieldSpec) -> list[str]:
    """Return the distinct items of several raw strings, in order. Raises: BadValue when none is left."""
    items: dict[str, str] = {}
    for raw in raws:
        for item in _split_list(raw, field):
            items.setdefault(item.casefold(), item)
    if not items:
        raise BadValue("The list is empty.")
    return list(items.values())


def narrow(raw: str, field: FieldSpec) -> str:
    """Return what the field's pattern takes from `raw`: its first group, else the match; without one all.

    Raises: BadValue when the pattern does not match.
    """
    if field.pattern is None:
        return raw
    match = re.search(field.pattern, raw)
    if match is None:
        raise BadValue(f"{raw[:80]!r} does not match the field's pattern.")
    part = match[1] if match.re.groups else match[0]
    if part is None:
        raise BadValue(f"{raw[:80]!r} leaves the first group of the field's pattern empty.")
    return part


def plain_text(raw: str) -> str:
    """Return `raw` without HTML entities and tags, spaces collapsed and NUL removed."""
    text = raw
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = html.unescape(_TAG.sub(" ", text))
    return _SPACE.sub(" ", text.replace("\x00", "").replace("\ufeff", "")).strip()


def _parse_text(raw: str, field: FieldSpec) -> str:
    text = plain_text(raw)
    if not any(c.isalnum() for c in text):
        raise BadValue("The text is empty.")
    if _PLACEHOLDER.fullmatch(text):
        raise BadValue(f"{text[:80]!r} is a placeholder that the site did not fill in.")
    if len(text) > MAX_TEXT_CHARACTERS:
        raise BadValue(f"The text has more than {MAX_TEXT_CHARACTERS} characters.")
    return text


def _parse_numeric(raw: str, field_type: FieldType, *, machine: bool) -> int | float:
    number = parse_number(plain_text(raw), machine=machine)
    if field_type is FieldType.FLOAT:
        if not math.isfinite(float(number)):
            raise BadValue(f"{raw[:80]!r} is too large a number.")
        return float(number)
    if number != number.to_integral_value():
        raise BadValue(f"{raw[:80]!r} is not a whole number.")
    return int(number)


def _parse_boolean(raw: str, field: FieldSpec) -> bool:
    word = _IRI_START.sub("", raw.strip()).casefold()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise BadValue(f"{raw[:80]!r} is neither true nor false.")


def _parse_date(raw: str, field: FieldSpec) -> str:
    return parse_date(plain_text(raw))


def _parse_enum(raw: str, field: FieldSpec) -> str:
    """Return the allowed value that `raw` names; case, spacing and a schema.org address before it do not matter.

    Where schema.org's InStock is allowed, shop phrases such as "auf Lager" are understood too.
    """
    wanted = _bare(_IRI_START.sub("", raw.strip()))
    for allowed in field.enum_values:
        if wanted and _bare(allowed) == wanted:
            return allowed
    for allowed in field.enum_values:
        if raw.strip() == allowed:
            return allowed
    if Availability.IN_STOCK in field.enum_values:
        stated = availability_named(plain_text(raw))
        if stated in field.enum_values:
            return stated.value
    raise BadValue(f"{raw[:80]!r} is not one of the allowed values ({', '.join(field.enum_values)[:200]}).")


def _bare(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _split_list(raw: str, field: FieldSpec) -> list[str]:
    items = (plain_text(part) for part in _LIST_SPLIT.split(html.unescape(raw)))
    items_left = [item for item in items if any(c.isalnum() for c in item)]
    return [_parse_enum(item, field) for item in items_left] if field.enum_values else items_left


def _parse_list(raw: str, field: FieldSpec) -> list[str]:
    return parse_list([raw], field)


def _parse_url(raw: str, base: str) -> str:
    text = html.unescape(raw).strip()
    try:
        address = urljoin(base, text)
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError as error:
        raise BadValue(f"{raw[:80]!r} is not a valid address: {error}.") from error
    if not text or parts.scheme not in ("http", "https") or not host or _SPACE.search(address) or "\x00" in address:
        raise BadValue(f"{raw[:80]!r} is not an http address.")
    return address


_PLAIN_PARSERS: dict[FieldType, Callable[[str, FieldSpec], Value]] = {
    FieldType.TEXT: _parse_text,
    FieldType.SUMMARY: _parse_text,
    FieldType.BOOLEAN: _parse_boolean,
    FieldType.DATE: _parse_date,
    FieldType.ENUM: _parse_enum,
    FieldType.LIST: _parse_list,
}
