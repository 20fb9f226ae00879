"""`manage.py delete ID`: delete a job, with or without what it made."""

from typing import Any

from django.core.management.base import CommandParser

from jobs.identifiers import job_id_parsed
from jobs.removal import job_delete
from jobs.removal_command import RemovalCommand


class Command(RemovalCommand):
    help = "Delete a job. What it made stays with the project, unless --cleanup is given."

    def arguments(self, parser: CommandParser) -> None:
        """Take the id, the reason and `--cleanup`."""
        self.removal_arguments(parser)
        parser.add_argument("--cleanup", action="store_true", help="cancel it if need be and delete what it made, too")

    def run(self, **options: Any) -> int:
        """Ask for the deletion and see it through."""
        receipt = job_delete(
            job_id=job_id_parsed(options["job_id"]),
            cleanup=options["cleanup"],
            actor=self.actor,
            reason=options["reason"],
        )
        return self.see_through(receipt, detach=options["detach"])
