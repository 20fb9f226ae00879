"""`manage.py cancel ID`: cancel a job."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from jobs.identifiers import job_id_parsed
from jobs.job_command import JobCommand
from jobs.lifecycle import job_cancel


class Command(JobCommand):
    help = "Cancel a job: what is pending is skipped, what is under way is aborted, what is done is kept."

    def arguments(self, parser: CommandParser) -> None:
        """Take the id, the reason and `--force`."""
        parser.add_argument("job_id")
        parser.add_argument("--reason", default="", help="kept in the job's history")
        parser.add_argument("--force", action="store_true", help="do not wait for workers: revoke what they hold")

    def run(self, **options: Any) -> int:
        """Cancel and show the receipt."""
        receipt = job_cancel(
            job_id=job_id_parsed(options["job_id"]),
            actor=self.actor,
            reason=options["reason"],
            force=options["force"],
        )
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
