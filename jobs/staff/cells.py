"""Small pieces of pages: badges, bars, durations. Everything that comes from a row is escaped here."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs.states import ItemState

#: The parts of a bar, in the order in which they are drawn.
SEGMENTS = (
    (ItemState.DONE.value, "done"),
    (ItemState.FAILED.value, "failed"),
    (ItemState.SKIPPED.value, "skipped"),
    (ItemState.CLAIMED.value, "in flight"),
    (ItemState.PENDING.value, "pending"),
)
BAR_UNITS = 1000  # the width of a bar in the units of its own drawing
SHOWN_CHARACTERS = 20_000


def badge(word: str) -> SafeString:
    """Return a state as a coloured badge."""
    return format_html('<span class="badge badge-{}">{}</span>', word, word)


def bar(counts: Mapping[str, int]) -> SafeString:
    """Return item counts by state as one bar, drawn as SVG: its widths need no style attribute."""
    total = sum(counts.values())
    if not total:
        return format_html('<svg class="bar" role="img" aria-label="{}"></svg>', "no items")
    parts, position = [], 0.0
    for state, _ in SEGMENTS:
        width = BAR_UNITS * counts.get(state, 0) / total
        if width:
            parts.append((f"{position:.1f}", f"{width:.1f}", state))
        position += width
    words = ", ".join(f"{counts[state]:,} {word}" for state, word in SEGMENTS if counts.get(state))
    return format_html(
        '<svg class="bar" viewBox="0 0 {} 8" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        BAR_UNITS,
        words,
        format_html_join("", '<rect x="{}" y="0" width="{}" height="8" class="fill-{}"/>', parts),
    )


def progress(counts: Mapping[str, int]) -> SafeString:
    """Return the bar with its share and numbers below."""
    total = sum(counts.values())
    if not total:
        return format_html('<span class="quiet">{}</span>', "no items")
    settled = sum(counts.get(state.value, 0) for state in (ItemState.DONE, ItemState.FAILED, ItemState.SKIPPED))
    return format_html(
        '<div class="progress">{}<span class="small quiet">{} · {} / {}</span></div>',
        bar(counts),
        f"{percent(settled, total)}%",
        f"{settled:,}",
        f"{total:,}",
    )


def percent(part: int, total: int) -> int:
    """Return the share in percent, rounded down: 100 means all."""
    return part * 100 // total if total else 0


def duration(start: datetime | None, end: datetime | None) -> str:
    """Return the time between two moments, until now if there is no end; a dash if there is no start."""
    if start is None:
        return "—"
    return span((end or timezone.now()) - start)


def span(length: timedelta) -> str:
    """Return a length of time in its two biggest units: `2 h 05 min`, `1 min 12 s`, `0.8 s`."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def pretty(value: Any) -> SafeString:
    """Return a JSON value as indented text."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False)
    return format_html('<pre class="json">{}</pre>', text[:SHOWN_CHARACTERS])


def link_to(row: Model | None, words: str = "") -> SafeString | str:
    """Return a link to the row's page in the admin; a dash for none."""
    if row is None:
        return "—"
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', address, words or str(row))
