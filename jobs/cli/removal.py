"""What the commands `cleanup` and `delete` share: seeing removals through and showing their receipts."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser

from jobs.cli.base import EXIT_FAILED
from jobs.cli.select import JobsCommand
from jobs.control import removal
from jobs.control.removal import RemovalReceipt
from jobs.worker import host

GIVE_UP_SECONDS = 60.0  # for what goes wrong again and again


class RemovalCommand(JobsCommand):
    """A command that removes something of jobs."""

    def own_arguments(self, parser: CommandParser) -> None:
        """Take `--detach`."""
        self.detach_argument(parser)

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Ask for the removal and see it through."""
        return self._see_through(self.service(**options)(job_id=job_id), detach=options["detach"])

    def see_all_through(self, accepted: Sequence[UUID], **options: Any) -> bool:
        """Wait until nothing is left, working ourselves if nobody else does; say what keeps going wrong."""
        if options["detach"]:
            return True
        _wait(lambda: removal.removals_unfinished(accepted))
        troubles = removal.removals_unfinished(accepted)
        for job_id, error in troubles.items():
            self.stderr.write(f"{job_id}: not finished: {error} It is tried again by every worker.")
        return not troubles

    def _see_through(self, receipt: RemovalReceipt, *, detach: bool) -> int:
        if not detach and not receipt.finished:
            _wait(lambda: removal.removals_unfinished([receipt.job_id]))
            receipt = removal.receipt_read(receipt)
        if receipt.error:
            self.stderr.write(f"Not finished: {receipt.error} It is tried again by every worker.")
        if self.as_json:
            self.print_json(asdict(receipt))
            return EXIT_FAILED if receipt.error else 0
        state = "Done" if receipt.finished else "Under way"
        self.stdout.write(f"{state}{'; the job is deleted' if receipt.job_deleted else ''}.")
        for kind, numbers in receipt.removal.items():
            kept = f", {numbers['kept_shared']:,} kept for other jobs" if numbers["kept_shared"] else ""
            self.stdout.write(f"  {kind}: {numbers['found']:,} found, {numbers['deleted']:,} deleted{kept}")
        return EXIT_FAILED if receipt.error else 0


def _wait(unfinished: Callable[[], dict[UUID, str]]) -> None:
    """Return once nothing is unfinished, or what is has gone wrong for GIVE_UP_SECONDS."""
    give_up = time.monotonic() + GIVE_UP_SECONDS

    def is_over() -> bool:
        left = unfinished()
        return not left or (all(left.values()) and time.monotonic() > give_up)

    host.hosting_or_waiting(is_over)
