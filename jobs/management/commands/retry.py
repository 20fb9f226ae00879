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
from jobs.ledger.counts import items_phrase


class Command(JobsCommand):
    help = "Try the failed items of finished jobs again; for cancelled jobs, also the items that the cancel skipped."

    def own_arguments(self, parser: CommandParser) -> None:
        """Add `--only`, `--host` and `--detach`."""
        parser.add_argument("--only", action="append", default=[], metavar="REASON", help="only items with this reason")
        parser.add_argument("--host", action="append", default=[], metavar="HOST", help="only items of this host")
        self.detach_argument(parser)

    def service(self, **options: Any) -> Callable[..., Any]:
        """Return the function that retries one job."""
        wanted = {"reasons": options["only"], "hosts": options["host"], "reason": options["reason"]}
        return partial(job_retry, actor=self.actor, **wanted)

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Retry the items, wait until the job has finished, and return the exit code."""
        receipt = self.service(**options)(job_id=job_id)
        if not self.as_json:
            self.stdout.write(f"Retrying {items_phrase(receipt.requeued)}.")
        elif options["detach"]:
            self.print_json(asdict(receipt))
            return 0
        return self.finish(job_id, detach=options["detach"])

    def all_finished(self, accepted: Sequence[UUID], **options: Any) -> bool:
        """Wait until the jobs have finished; return whether none of them failed or was cancelled."""
        if options["detach"] or not accepted:
            return True
        ends = follow.jobs_follow(accepted, quiet=self.as_json)
        return not any(follow.is_failure(one["status"]) for one in ends)
