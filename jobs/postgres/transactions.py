"""Transactions: tried again when PostgreSQL asks for it, and committed whatever fails after them."""

import logging
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import TypeVar

from django.db import OperationalError, transaction

log = logging.getLogger(__name__)

Result = TypeVar("Result")

RETRIED_SQLSTATES = frozenset({"40P01", "40001"})  # deadlock detected, serialisation failure
TRIES = 6


def retried(work: Callable[[], Result], *, is_one_statement: bool = False) -> Result:
    """Return `work()` run in its own transaction, tried again after a deadlock or serialisation failure.

    Inside an outer transaction nothing can be tried again: the work runs once, as part of it.
    is_one_statement: it is a transaction by itself, and BEGIN and COMMIT are two round trips less.
    """
    for attempt in range(1, TRIES + 1):
        try:
            with nullcontext() if is_one_statement else transaction.atomic():
                return work()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state not in RETRIED_SQLSTATES or attempt == TRIES or transaction.get_connection().in_atomic_block:
                raise
            time.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311  spreads the contenders
    raise AssertionError("unreachable: the loop returns or raises")


def committed(work: Callable[[], Result]) -> Result:
    """Return `work()` run in one transaction, whatever fails after its commit.

    Waking workers comes after the commit and may fail, for instance when the broker is away. Raising then would tell
    the caller that nothing happened, so that it would repeat the call; healing sends lost wake-ups anyway.
    """
    results: list[Result] = []
    ends: list[bool] = []

    def noted() -> Result:
        if ends:  # a deadlock after the commit is no reason to do the work again
            return results[-1]
        transaction.on_commit(partial(ends.append, True))  # the first to run after the commit
        results.append(work())
        return results[-1]

    try:
        return retried(noted)
    except Exception:
        if not ends:
            raise
        log.exception("failed_after_commit")
        return results[-1]
