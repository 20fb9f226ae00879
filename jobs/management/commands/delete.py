"""`manage.py delete ID…`: delete jobs, with or without what they made."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from jobs.cli.removal import RemovalCommand
from jobs.control.removal import job_delete


class Command(RemovalCommand):
    help = "Delete jobs. What they made stays in the project, unless --cleanup is given."

    def own_arguments(self, parser: CommandParser) -> None:
        """Add `--detach` and `--cleanup`."""
        super().own_arguments(parser)
        parser.add_argument(
            "--cleanup", action="store_true", help="cancel the job if it is active, and delete what it made as well"
        )

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the function that requests the deletion of one job."""
        return partial(job_delete, cleanup=options["cleanup"], actor=self.actor, reason=options["reason"])
