"""`manage.py cleanup ID…`: delete what finished jobs made."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jobs.cli.removal import RemovalCommand
from jobs.control.removal import job_cleanup


class Command(RemovalCommand):
    help = "Delete what finished jobs made, from PostgreSQL and the vector store; what other jobs hold stays."

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the asking for one cleanup."""
        return partial(job_cleanup, actor=self.actor, reason=options["reason"])
