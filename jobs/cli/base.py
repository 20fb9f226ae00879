"""What every management command shares: `--json`, exit codes, and sentences instead of tracebacks."""

import json
import logging
import sys
from typing import IO, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError
from rich.console import Console

from jobs.errors import Conflict, Invalid, NotFound, QuarryError
from jobs.postgres.migration_lock import migrations_apply

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3


class QuarryCommand(BaseCommand):
    """A command that parses its arguments, calls one service and prints the receipt. Subclasses define `run`.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused in the current state; stderr says why.
    """

    requires_system_checks: list[str] = []
    needs_tables = True  #: False for commands that create the tables themselves, or work without a database
    is_service = False  #: True for commands that run until stopped: the log is their output

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--json` and what the command itself takes."""
        parser.add_argument(
            "--json", action="store_true", dest="as_json", help="print one JSON object and nothing else"
        )
        self.arguments(parser)

    def arguments(self, parser: CommandParser) -> None:
        """Add the command's own arguments."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command and exit with its code."""
        self.as_json: bool = options["as_json"]
        if not self.is_service and sys.stderr.isatty():
            terminal_quieten()
        try:
            if self.needs_tables and settings.QUARRY.is_embedded:
                migrations_apply()  # any command may be the first one ever run
            code = self.run(**options)
        except QuarryError as error:
            self.complain(error)
            code = exit_code(error)
        except DatabaseError as error:
            self.stderr.write(f"The database does not answer: {str(error).strip()}")
            code = EXIT_FAILED
        except KeyboardInterrupt:
            self.stderr.write("\nStopped. Nothing is lost: the next worker continues the unfinished work.")
            code = 130
        if code:
            sys.exit(code)

    def run(self, **options: Any) -> int:
        """Do the work; return the exit code."""
        raise AssertionError(f"{type(self).__module__} has no run()")

    def complain(self, error: QuarryError) -> None:
        """Print what is wrong: for people on stderr, for programs as JSON on stdout."""
        self.stderr.write(error.detail)
        if self.as_json:
            self.print_json({"error": error.detail, "code": error.code, **error.context})

    def console(self) -> Console:
        """Return a console for formatted text on the command's stdout."""
        return Console(file=cast(IO[str], self.stdout))

    def print_json(self, value: Any) -> None:
        """Print one JSON object on stdout."""
        self.stdout.write(json.dumps(value, default=str, ensure_ascii=False))


def terminal_quieten() -> None:
    """Show only warnings of the log on an interactive terminal, where progress and results are printed."""
    for handler in logging.getLogger().handlers:
        handler.setLevel(max(handler.level, logging.WARNING))


def exit_code(error: QuarryError) -> int:
    """Return the exit code for the error."""
    if isinstance(error, Conflict):
        return EXIT_REFUSED
    return EXIT_USAGE if isinstance(error, Invalid | NotFound) else EXIT_FAILED
