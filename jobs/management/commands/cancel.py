"""`manage.py cancel ID…`: cancel jobs."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from jobs.cli.select import JobsCommand
from jobs.control.cancel import job_cancel
from jobs.ledger.counts import items_phrase


class Command(JobsCommand):
    help = "Cancel jobs: pending items are skipped, items in flight are aborted, and what is done is kept."

    def own_arguments(self, parser: CommandParser) -> None:
        """Add `--force`."""
        parser.add_argument("--force", action="store_true", help="cancel at once, without waiting for workers to stop")

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the function that cancels one job."""
        return partial(job_cancel, actor=self.actor, reason=options["reason"], force=options["force"])

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Cancel the job, print the receipt and return 0."""
        receipt = self.service(**options)(job_id=job_id)
        if self.as_json:
            self.print_json(asdict(receipt))
        else:
            verb = "is" if receipt.changed else "was already"
            waiting = f" {receipt.pending:,} still to be skipped," if receipt.pending else ""
            self.stdout.write(
                f"The job {verb} {receipt.status}: {items_phrase(receipt.skipped)} skipped,{waiting}"
                f" {receipt.in_flight:,} in flight, {receipt.done:,} done and kept, {receipt.failed:,} failed."
            )
        return 0
