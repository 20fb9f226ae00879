"""`manage.py retry ID`: try the failed items of a job again."""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from jobs.identifiers import job_id_parsed
from jobs.job_command import JobCommand
from jobs.retrying import job_retry


class Command(JobCommand):
    help = "Try the failed items of a finished job again; of a cancelled one also what the cancel skipped."

    def arguments(self, parser: CommandParser) -> None:
        """Take the id and filters."""
        parser.add_argument("job_id")
        parser.add_argument("--only", action="append", default=[], metavar="REASON", help="only items with this reason")
        parser.add_argument("--host", action="append", default=[], metavar="HOST", help="only items of this host")
        parser.add_argument("--reason", default="", help="kept in the job's history")
        self.detach_argument(parser)

    def run(self, **options: Any) -> int:
        """Requeue the items and follow the job to its end."""
        receipt = job_retry(
            job_id=job_id_parsed(options["job_id"]),
            reasons=options["only"],
            hosts=options["host"],
            actor=self.actor,
            reason=options["reason"],
        )
        if not self.as_json:
            self.stdout.write(f"{receipt.requeued:,} items will be tried again.")
        elif options["detach"]:
            self.print_json(asdict(receipt))
            return 0
        return self.finish(receipt.job_id, detach=options["detach"])
