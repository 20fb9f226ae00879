"""Switching one protection off, in this bench's own database or process: the judge must find out what that does."""

from django.db import connection

from config.benches.commands import command_line
from jobs.errors import Invalid
from jobs.postgres.advisory_locks import HEALER_LOCK

SABOTAGES = ("trigger", "fence", "heal")


def sabotage_check(name: str) -> None:
    """Raises: Invalid when there is no such sabotage."""
    if name and name not in SABOTAGES:
        raise Invalid(f"There is no sabotage {name!r}; use one of: {', '.join(SABOTAGES)}.", code="unknown_sabotage")


def server_words(sabotage: str) -> list[str]:
    """Return the words that start `manage.py`, for `fence` in a process that settles without looking at leases."""
    words = command_line()
    return [words[0], "-m", "config.benches.chaos.unfenced"] if sabotage == "fence" else words


def sabotage_begin(name: str) -> None:
    """Drop a trigger (`trigger`), or keep every healer from working (`heal`) for as long as this process lives."""
    with connection.cursor() as cursor:
        if name == "trigger":
            cursor.execute("DROP TRIGGER extraction_queue_deleted ON extraction_passage")
        if name == "heal":
            cursor.execute("SELECT pg_advisory_lock(%s)", [HEALER_LOCK])
