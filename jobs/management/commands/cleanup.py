"""`manage.py cleanup ID`: delete what a finished job made."""

from typing import Any

from django.core.management.base import CommandParser

from jobs.identifiers import job_id_parsed
from jobs.removal import job_cleanup
from jobs.removal_command import RemovalCommand


class Command(RemovalCommand):
    help = "Delete what a finished job made, from PostgreSQL and the vector store; what other jobs hold stays."

    def arguments(self, parser: CommandParser) -> None:
        """Take the id and the reason."""
        self.removal_arguments(parser)

    def run(self, **options: Any) -> int:
        """Ask for the cleanup and see it through."""
        receipt = job_cleanup(job_id=job_id_parsed(options["job_id"]), actor=self.actor, reason=options["reason"])
        return self.see_through(receipt, detach=options["detach"])
