"""How often a transaction is tried that PostgreSQL keeps breaking."""

import psycopg
import pytest
from django.db import OperationalError

from jobs.postgres import transactions
from jobs.postgres.transactions import TRIES, retried


def deadlock() -> OperationalError:
    error = OperationalError("deadlock detected")
    error.__cause__ = psycopg.errors.DeadlockDetected()
    return error


@pytest.mark.django_db(transaction=True)
def test_the_last_try_may_succeed_and_none_follows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions.time, "sleep", lambda seconds: None)
    tries: list[int] = []

    def broken_until(last: int) -> int:
        tries.append(1)
        if len(tries) < last:
            raise deadlock()
        return len(tries)

    assert retried(lambda: broken_until(TRIES)) == TRIES
    tries.clear()
    with pytest.raises(OperationalError, match="deadlock detected"):
        retried(lambda: broken_until(TRIES + 1))
    assert len(tries) == TRIES
