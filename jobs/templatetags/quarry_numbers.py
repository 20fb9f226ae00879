"""How templates show numbers."""

from typing import Any

from django import template

register = template.Library()


@register.filter
def number(value: Any) -> Any:
    """Return an integer with thousands separators; anything else unchanged."""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
