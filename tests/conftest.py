"""What all tests share. Their settings are in `tests/settings.py`, which pytest-django reads before this."""

from django.conf import settings


def pytest_report_header() -> list[str]:
    """Say which PostgreSQL the tests use."""
    if not settings.configured:
        return ["database: none (Django is not set up)"]
    where = f"embedded PostgreSQL in {settings.QUARRY.home}" if settings.QUARRY.is_embedded else "DATABASE_URL"
    return [f"database: {where}"]
