"""Numbers as people write them."""

from __future__ import annotations

import re
from decimal import Decimal

from extraction.errors import BadValue

MACHINE_NUMBER = re.compile(r"[-+]?\d{1,30}(?:\.\d{1,20})?", re.ASCII)
#: A number token: sign, digits, and separators that stand between digits.
NUMBER = re.compile(r"(?<![\w.,])[-−+]?\d+(?:[.,'’\u00a0\u202f]\d+)*(?:\s\d{3}(?!\d))*|[-−+]?\d+(?:[.,]\d+)*")
_SCALE = re.compile(r"\s*(thousand|million|billion|trillion|mio|mrd|bn|k|K|M)\b")
_SCALES = {
    "thousand": 3, "k": 3, "K": 3, "million": 6, "mio": 6, "M": 6,
    "billion": 9, "mrd": 9, "bn": 9, "trillion": 12,
}  # fmt: skip


def decimal_of(token: str) -> Decimal:
    """Return the number a token means, guessing which of `.` and `,` is the decimal separator.

    One separator before exactly three digits groups thousands: 1,234 and 1.234 are 1234, as in price-parser.
    Raises: BadValue.
    """
    sign = -1 if token[0] in "-−" else 1
    digits = re.sub(r"[\s'’+−-]", "", token)
    if not re.fullmatch(r"\d{1,30}(?:[.,]\d{1,30})*", digits, re.ASCII):
        raise BadValue(f"{token[:80]!r} is not a number written in plain digits.")
    marks = [c for c in digits if c in ".,"]
    last = marks[-1] if marks else ""
    if not marks:
        return sign * Decimal(digits)
    is_decimal = marks.count(last) == 1 and (len(set(marks)) == 2 or len(digits.rpartition(last)[2]) != 3)
    if digits.startswith("0" + last) and len(marks) == 1:
        is_decimal = True
    whole, _, fraction = digits.rpartition(last) if is_decimal else (digits, "", "")
    whole = re.sub(r"[.,]", "", whole)
    return sign * Decimal(f"{whole}.{fraction}" if fraction else whole)


def parse_number(raw: str, *, machine: bool) -> Decimal:
    """Return the only number in `raw`; words such as "million" and units may stand around it.

    machine: `raw` comes from structured data, where `.` is always the decimal point.
    Raises: BadValue when there is no number, or more than one.
    """
    text = raw.strip()
    if machine and MACHINE_NUMBER.fullmatch(text):
        return Decimal(text)
    tokens = list(NUMBER.finditer(text))
    if len(tokens) != 1:
        found = "no number" if not tokens else "more than one number"
        raise BadValue(f"{raw[:80]!r} contains {found}; exactly one is expected.")
    if text[tokens[0].end() : tokens[0].end() + 1].isdigit():  # 12² is not 12
        raise BadValue(f"{raw[:80]!r} contains a power, not a plain number.")
    number = decimal_of(tokens[0][0])
    scale = _SCALE.match(text, tokens[0].end())
    return number.scaleb(_SCALES[scale[1]]) if scale else number


def plain(number: Decimal) -> str:
    """Return the number in digits without exponent; its decimals stay as written (19.90 stays 19.90)."""
    return format(number, "f")
