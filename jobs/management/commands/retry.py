"""`manage.py retry ID…`: try the failed items of jobs again."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from jobs.cli import follow
from jobs.cli.select import JobsCommand
from jobs.control.retry import job_retry


class Command(JobsCommand):
    help = "Try the failed items of finished jobs again; of cancelled ones also what the cancel skipped."

    def own_arguments(self, parser: CommandParser) -> None:
        """Take which items, and `--detach`."""
        parser.add_argument("--only", action="append", default=[], metavar="REASON", help="only items with this reason")
        parser.add_argument("--host", action="append", default=[], metavar="HOST", help="only items of this host")
        self.detach_argument(parser)

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the retry of one job."""
        wanted = {"reasons": options["only"], "hosts": options["host"], "reason": options["reason"]}
        return partial(job_retry, actor=self.actor, **wanted)

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Requeue the items and follow the job to its end."""
        receipt = self.service(**options)(job_id=job_id)
        if not self.as_json:
            self.stdout.write(f"{receipt.requeued:,} items will be tried again.")
        elif options["detach"]:
            self.print_json(asdict(receipt))
            return 0
        return self.finish(job_id, detach=options["detach"])

    def see_all_through(self, accepted: Sequence[UUID], **options: Any) -> bool:
        """Follow the jobs to their ends; return whether none of them failed as a whole."""
        if options["detach"] or not accepted:
            return True
        ends = follow.jobs_follow(accepted, quiet=self.as_json)
        return not any(follow.is_failure(one["status"]) for one in ends)
