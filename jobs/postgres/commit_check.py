"""One transaction around a use case whose answer must survive whatever follows the commit."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from django.db import transaction

from jobs.postgres.transactions import retried

log = logging.getLogger(__name__)

Result = TypeVar("Result")


def committed(work: Callable[[], Result]) -> Result:
    """Return `work()` run in one transaction, whatever becomes of what merely follows its commit.

    Waking workers follows the commit and may fail, with the broker for instance. Raising then would tell the
    caller that nothing happened, and have it ask for the same again; healing sends lost wake-ups anyway.
    """
    results: list[Result] = []
    ends: list[bool] = []

    def noted() -> Result:
        if ends:  # what followed the commit met a deadlock: that is no reason to do the work again
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
