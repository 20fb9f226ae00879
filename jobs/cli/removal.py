"""What the commands `cleanup` and `delete` share: waiting for removals and printing their receipts."""

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

GIVE_UP_SECONDS = 60.0  # for removals that keep failing


class RemovalCommand(JobsCommand):
    """A command that removes jobs or what they made."""

    def own_arguments(self, parser: CommandParser) -> None:
        """Add `--detach`."""
        self.detach_argument(parser)

    def run_one(self, job_id: UUID, **options: Any) -> int:
        """Request the removal, wait until it is finished, and return the exit code."""
        return self._awaited(self.service(**options)(job_id=job_id), detach=options["detach"])

    def all_finished(self, accepted: Sequence[UUID], **options: Any) -> bool:
        """Wait until each removal is finished or keeps failing; print why, and return whether all are finished."""
        if options["detach"]:
            return True
        _wait(lambda: removal.removals_unfinished(accepted))
        troubles = removal.removals_unfinished(accepted)
        for job_id, error in troubles.items():
            self.stderr.write(f"{job_id}: not finished: {error} Workers keep trying.")
        return not troubles

    def _awaited(self, receipt: RemovalReceipt, *, detach: bool) -> int:
        if not detach and not receipt.finished:
            _wait(lambda: removal.removals_unfinished([receipt.job_id]))
            receipt = removal.receipt_read(receipt)
        if receipt.error:
            self.stderr.write(f"Not finished: {receipt.error} Workers keep trying.")
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
    """Return once nothing is unfinished, or all that is has been failing for GIVE_UP_SECONDS."""
    give_up = time.monotonic() + GIVE_UP_SECONDS

    def is_over() -> bool:
        left = unfinished()
        return not left or (all(left.values()) and time.monotonic() > give_up)

    host.hosting_or_waiting(is_over)
