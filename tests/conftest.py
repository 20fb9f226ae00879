"""What all tests share. Their settings are in `tests/settings.py`, which pytest-django reads before this."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase

# What a test wrote is deleted with triggers and foreign keys asleep: a tenth of the time of Django's flush, which
# also makes every permission anew. Content types and permissions are never written by a test.
EMPTY = """
    DO $$
    DECLARE found regclass;
    BEGIN
        SET LOCAL session_replication_role = replica;
        FOR found IN
            SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
            AND relname NOT IN ('django_migrations', 'django_content_type', 'auth_permission')
        LOOP
            IF pg_relation_size(found) > 4000000 THEN EXECUTE format('TRUNCATE %s CASCADE', found);
            ELSE EXECUTE format('DELETE FROM %s', found); END IF;
        END LOOP;
    END $$
"""


def pytest_report_header() -> list[str]:
    """Say which PostgreSQL the tests use."""
    if not settings.configured:
        return ["database: none (Django is not set up)"]
    where = f"embedded PostgreSQL in {settings.QUARRY.home}" if settings.QUARRY.is_embedded else "DATABASE_URL"
    return [f"database: {where}"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep one order in all processes of a parallel run: parameters that come from a set have none."""
    items.sort(key=lambda item: (item.location[0], item.location[1] or 0, item.name))


@pytest.fixture(autouse=True, scope="session")
def quick_flush() -> Iterator[None]:
    """Empty the tables after each transactional test by `EMPTY`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty)
        yield


def _empty(case: Any) -> None:
    for alias in case._databases_names(include_mirrors=False):
        with connections[alias].cursor() as cursor:
            cursor.execute(EMPTY)
