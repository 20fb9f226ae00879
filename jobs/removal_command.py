"""What the commands `cleanup` and `delete` share: seeing the removal through and showing its receipt."""

import time
from dataclasses import asdict

from django.core.management.base import CommandParser

from jobs import hosting, removal
from jobs.commands import EXIT_FAILED
from jobs.job_command import JobCommand
from jobs.removal import RemovalReceipt

PATIENCE_SECONDS = 60.0  # for what goes wrong again and again


class RemovalCommand(JobCommand):
    """A command that removes something of one job."""

    def removal_arguments(self, parser: CommandParser) -> None:
        """Add the id, the reason and `--detach`."""
        parser.add_argument("job_id")
        parser.add_argument("--reason", default="", help="kept in the job's history")
        self.detach_argument(parser)

    def see_through(self, receipt: RemovalReceipt, *, detach: bool) -> int:
        """Wait until nothing is left, working ourselves if nobody else does; show the receipt."""
        if not detach and not receipt.finished:
            give_up = time.monotonic() + PATIENCE_SECONDS

            def is_over() -> bool:
                now = removal.receipt_read(receipt)
                return now.finished or (bool(now.error) and time.monotonic() > give_up)

            hosting.hosting_or_waiting(is_over, poll_seconds=0.1)
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
