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
                "Another process is healing right now, so this one only handled cancelling jobs."
                f" Items skipped: {receipt.skipped:,}. Jobs ended: {receipt.ended:,}."
            )
        else:
            self.stdout.write(
                f"Items pending again after an expired lease: {receipt.leases_expired:,},"
                f" given up: {receipt.workers_lost:,}, skipped: {receipt.skipped:,}."
                f" Jobs ended: {receipt.ended:,}. Wake-ups sent: {receipt.woken:,}."
            )
        return 0
