"""What the commands `pause` and `resume` share: one service, one line for each job."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

from jobs.cli.select import JobsCommand
from jobs.control.pause import StatusReceipt


class StatusCommand(JobsCommand):
    """A command that moves jobs to another status. Subclasses set `move`."""

    move: Callable[..., StatusReceipt]

    def service(self, **options: Any) -> Callable[..., StatusReceipt]:
        """Return the function that moves one job."""
        return partial(self.move, actor=self.actor, reason=options["reason"])

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Move the job, print its status and return 0."""
        receipt = self.service(**options)(job_id=job_id)
        if self.as_json:
            self.print_json(asdict(receipt))
        else:
            self.stdout.write(f"The job {'is' if receipt.changed else 'was already'} {receipt.status}.")
        return 0
