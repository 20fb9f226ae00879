"""`manage.py audit`: compare rows and points, both ways."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from extraction.audit.compare import audit
from extraction.vectors.drain import drain_vectors
from jobs.cli.base import EXIT_FAILED, QuarryCommand
from jobs.errors import Conflict, Unavailable
from jobs.worker.host import is_hosted


class Command(QuarryCommand):
    help = "Count rows without points and points without rows; --fix repairs both."

    def arguments(self, parser: CommandParser) -> None:
        """Take `--fix`."""
        parser.add_argument("--fix", action="store_true", help="repair what differs")

    def run(self, **options: Any) -> int:
        """Compare and show the numbers; 1 when something is out of step and not fixed."""
        if not settings.QUARRY.qdrant_url and is_hosted():
            raise Conflict(
                "The embedded vector store is in use by the running server (`up`); stop it, then run the audit again.",
                code="store_in_use",
            )
        receipt = audit(fix=options["fix"])
        if options["fix"] and (unavailable := drain_vectors().unavailable):
            raise Unavailable(f"The repair is queued, and workers will carry it out later: {unavailable}")
        if self.as_json:
            self.print_json(asdict(receipt))
        else:
            self.stdout.write(
                f"{receipt.rows:,} rows, {receipt.points:,} points;"
                f" {receipt.rows_without_points:,} rows without points,"
                f" {receipt.points_without_rows:,} points without rows{', fixed' if options['fix'] else ''}."
            )
        out_of_step = receipt.rows_without_points + receipt.points_without_rows
        return EXIT_FAILED if out_of_step and not options["fix"] else 0
