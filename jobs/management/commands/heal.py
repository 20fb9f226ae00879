"""`manage.py heal`: put right what crashes and lost messages left behind."""

from dataclasses import asdict
from typing import Any

from jobs.cli.base import QuarryCommand
from jobs.worker import healing


class Command(QuarryCommand):
    help = "Put right what crashes and lost messages left behind; workers do the same every few seconds."

    def run(self, **options: Any) -> int:
        """Heal once and show what was found."""
        receipt = healing.heal()
        if self.as_json:
            self.print_json(asdict(receipt))
        elif not receipt.ran:
            self.stdout.write(
                "Another process is healing at this moment. Of cancelling jobs, this one skipped"
                f" {receipt.skipped:,} items and ended {receipt.ended:,}."
            )
        else:
            self.stdout.write(
                f"{receipt.leases_expired:,} expired leases returned, {receipt.workers_lost:,} items given up,"
                f" {receipt.skipped:,} skipped, {receipt.ended:,} jobs ended, {receipt.woken:,} wake-ups sent."
            )
        return 0
