"""Amounts of money as shops write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from price_parser import Price

from extraction.errors import BadValue
from extraction.values.numbers import MACHINE_NUMBER, plain


def parse_money(raw: str, *, hint: str | None, machine: bool) -> dict[str, Any]:
    """Return {"amount": decimal string, "currency": code, symbol or None}.

    The currency is what stands beside the amount, or the `hint` found at a second place; it is never guessed
    from the language. price-parser reads "Free" as 0: here an amount needs a digit.
    Raises: BadValue.
    """
    text = raw.strip()
    currency = hint.strip()[:40] if hint and hint.strip() else None
    if machine and MACHINE_NUMBER.fullmatch(text):
        return {"amount": plain(Decimal(text)), "currency": currency}
    if not re.search(r"\d", text) or len(text) > 200:
        raise BadValue(f"{raw[:80]!r} states no amount in digits.")
    price = Price.fromstring(text)
    if price.amount is None:
        raise BadValue(f"{raw[:80]!r} is not an amount of money.")
    rest = text.replace(price.amount_text or "", "", 1)
    if re.search(r"\d", rest.replace("€", "")) and "€" not in (price.amount_text or ""):
        raise BadValue(f"{raw[:80]!r} contains more than one number; exactly one amount is expected.")
    sign = "-" if re.match(r"\D{0,4}[-−]\s?\D?\s?\d", text) else ""
    return {"amount": sign + plain(price.amount), "currency": currency or price.currency}
