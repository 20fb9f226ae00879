"""`manage.py cancel ID…`: cancel jobs."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from jobs.cli.select import JobsCommand
from jobs.control.cancel import job_cancel


class Command(JobsCommand):
    help = "Cancel jobs: what is pending is skipped, what is under way is aborted, what is done is kept."

    def own_arguments(self, parser: CommandParser) -> None:
        """Take `--force`."""
        parser.add_argument("--force", action="store_true", help="do not wait for workers: revoke what they hold")

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the cancelling of one job."""
        return partial(job_cancel, actor=self.actor, reason=options["reason"], force=options["force"])

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Cancel and show the receipt."""
        receipt = self.service(**options)(job_id=job_id)
        if self.as_json:
            self.print_json(asdict(receipt))
        else:
            verb = "is" if receipt.changed else "was already"
            waiting = f" {receipt.pending:,} to be skipped," if receipt.pending else ""
            self.stdout.write(
                f"The job {verb} {receipt.status}: {receipt.skipped:,} skipped now,{waiting}"
                f" {receipt.in_flight:,} in flight, {receipt.done:,} done and kept, {receipt.failed:,} failed."
            )
        return 0
