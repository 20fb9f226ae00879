"""What the commands `pause` and `resume` share: one id, one service, one line."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from jobs.identifiers import job_id_parsed
from jobs.job_command import JobCommand
from jobs.lifecycle import StatusReceipt


class StatusCommand(JobCommand):
    """A command that moves one job to another status. Subclasses name the service."""

    service: Callable[..., StatusReceipt]

    def arguments(self, parser: CommandParser) -> None:
        """Take the id and the reason."""
        parser.add_argument("job_id")
        parser.add_argument("--reason", default="", help="kept in the job's history")

    def run(self, **options: Any) -> int:
        """Move the job and show its status."""
        job_id = job_id_parsed(options["job_id"])
        receipt = self.service(job_id=job_id, actor=self.actor, reason=options["reason"])
        if self.as_json:
            self.print_json(asdict(receipt))
        else:
            self.stdout.write(f"The job {'is' if receipt.changed else 'was already'} {receipt.status}.")
        return 0
