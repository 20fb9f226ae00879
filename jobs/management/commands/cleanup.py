"""`manage.py cleanup ID…`: delete what finished jobs made."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jobs.cli.removal import RemovalCommand
from jobs.control.removal import job_cleanup


class Command(RemovalCommand):
    help = "Delete what finished jobs made, wherever it is stored, except what other jobs also use."

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the function that requests the cleanup of one job."""
        return partial(job_cleanup, actor=self.actor, reason=options["reason"])
