"""The thread that talks to PostgreSQL for a slice."""

import asyncio

import pytest
from django.db import connection

from jobs.worker.database_thread import DatabaseThread
from tests.helpers.threads import until

pytestmark = pytest.mark.django_db(transaction=True)


def backend() -> int:
    """Return the process of PostgreSQL that serves this thread."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def is_served_by(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = %s)", [pid])
        return cursor.fetchone()[0]


def test_a_connection_lost_between_two_calls_is_replaced() -> None:
    """The second call is the first to notice, and has no transaction whose failed start would have closed it."""
    with DatabaseThread() as database:
        lost = asyncio.run(database(backend))
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [lost])
        until(lambda: not is_served_by(lost), "the connection is lost")
        assert asyncio.run(database(backend)) not in (lost, backend())
