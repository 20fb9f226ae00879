"""Dates as pages write them, turned into ISO 8601 without inventing a part."""

from __future__ import annotations

import re
from datetime import date

from dateutil.parser import isoparse

from extraction.errors import BadValue
from extraction.values.months import month_number

_ISO_START = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?(?=$|[T ])", re.ASCII)
_COMPACT = re.compile(r"\d{8}(?:T\d{2,6}Z?)?", re.ASCII)
_NUMERIC = re.compile(r"(?<!\d)(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4})(?!\d)", re.ASCII)
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})([./-])(\d{1,2})\2(\d{1,2})(?!\d)", re.ASCII)
_DAY_MONTH_YEAR = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?[\s-]+(?:of |de |d')?"
    r"([^\W\d_]{3,12})\.?,?[\s-]+(?:of |de )?(\d{4})(?!\d)"
)
_MONTH_DAY_YEAR = re.compile(r"([^\W\d_]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)")
_MONTH_YEAR = re.compile(r"([^\W\d_]{3,12})\.?,?\s+(?:of |de )?(\d{4})(?!\d)")


def parse_date(raw: str) -> str:
    """Return the date in `raw` as `YYYY-MM-DD`; as `YYYY-MM` or `YYYY` when that is all it says.

    A clock time is dropped and the day stays as written, in the page's own time zone.
    Raises: BadValue for anything else, and for 03/04/2024, which may mean either order.
    """
    text = raw.strip()
    if _ISO_START.match(text) or _COMPACT.fullmatch(text):
        return _iso(text)
    if match := _YEAR_FIRST.search(text):
        return _whole(int(match[1]), int(match[3]), int(match[4]), text)
    if match := _NUMERIC.search(text):
        return _numeric(match, text)
    if match := _DAY_MONTH_YEAR.search(text):
        return _whole(int(match[3]), _month(match[2], text), int(match[1]), text)
    if match := _MONTH_DAY_YEAR.search(text):
        return _whole(int(match[3]), _month(match[1], text), int(match[2]), text)
    if match := _MONTH_YEAR.search(text):
        return f"{_year(int(match[2]), text):04d}-{_month(match[1], text):02d}"
    raise BadValue(f"{raw[:80]!r} is not a date with at least a year; expected one such as 2024-05-31.")


def _iso(text: str) -> str:
    """Return an ISO date; isoparse alone would fill a missing month or day with 01."""
    start = _ISO_START.match(text)
    try:
        moment = isoparse(text if not start or len(start[0]) == 10 else start[0])
    except ValueError:
        # "2024-05-31 10:00 Uhr" still states its day.
        if not start:
            raise _unreal(text) from None
        try:
            moment = isoparse(start[0])
        except ValueError:
            raise _unreal(text) from None
    _year(moment.year, text)
    return moment.date().isoformat()[: len(start[0]) if start else 10]


def _numeric(match: re.Match[str], text: str) -> str:
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] == "." or first > 12 or first == second:
        return _whole(year, second, first, text)
    if second > 12:
        return _whole(year, first, second, text)
    raise BadValue(f"{text[:80]!r} may have the day or the month first, and nothing says which.")


def _month(word: str, text: str) -> int:
    number = month_number(word)
    if number is None:
        raise BadValue(f"{text[:80]!r} is not a date: {word!r} is not a known month name.")
    return number


def _year(year: int, text: str) -> int:
    if not 1000 <= year <= 2999:
        raise _unreal(text)
    return year


def _whole(year: int, month: int, day: int, text: str) -> str:
    try:
        return date(_year(year, text), month, day).isoformat()
    except ValueError:
        raise _unreal(text) from None


def _unreal(text: str) -> BadValue:
    return BadValue(f"{text[:80]!r} is not a date in the calendar.")
