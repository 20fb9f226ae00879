"""`manage.py heal`: repair what crashes and lost messages left behind."""

from dataclasses import asdict
from typing import Any

from jobs.cli.base import QuarryCommand
from jobs.worker import healing


class Command(QuarryCommand):
    help = "Repair what crashes and lost messages left behind; workers do the same every few seconds."

    def run(self, **options: Any) -> int:
        """Heal once, print what was found and return 0."""
        receipt = healing.heal()
        if self.as_json:
            self.print_json(asdict(receipt))
        elif not receipt.ran:
            self.stdout.write(
                "Another process is healing right now. In cancelling jobs, this one skipped"
                f" {receipt.skipped:,} items, and it ended {receipt.ended:,} jobs."
            )
        else:
            self.stdout.write(
                f"{receipt.leases_expired:,} items with expired leases made pending again,"
                f" {receipt.workers_lost:,} items given up, {receipt.skipped:,} items skipped,"
                f" {receipt.ended:,} jobs ended, {receipt.woken:,} wake-ups sent."
            )
        return 0
