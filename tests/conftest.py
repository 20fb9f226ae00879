"""What all tests share. Their settings are in `tests/settings.py`, which pytest-django reads before this."""

import pytest
from django.conf import settings


def pytest_report_header() -> list[str]:
    """Say which PostgreSQL the tests use."""
    if not settings.configured:
        return ["database: none (Django is not set up)"]
    where = f"embedded PostgreSQL in {settings.QUARRY.home}" if settings.QUARRY.is_embedded else "DATABASE_URL"
    return [f"database: {where}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep one order in all processes of a parallel run: parameters that come from a set have none."""
    items.sort(key=lambda item: (item.location[0], item.location[1] or 0, item.name))
