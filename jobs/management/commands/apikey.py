"""`manage.py apikey USER`: print a new API key."""

from typing import Any

from django.core.management.base import CommandParser

from jobs.api.keys import key_create
from jobs.cli.base import QuarryCommand


class Command(QuarryCommand):
    help = "Print a new API key that acts as the given user. It is shown only once: Quarry stores only its hash."

    def arguments(self, parser: CommandParser) -> None:
        """Add the user's name and a name for the key."""
        parser.add_argument("user", help="username of the account that the key acts as")
        parser.add_argument("--name", default="command line", help="what the key is for")

    def run(self, **options: Any) -> int:
        """Create the key and print it alone on stdout."""
        key = key_create(username=options["user"], name=options["name"])
        if self.as_json:
            self.print_json({"key": key})
        else:
            self.stdout.write(key)
        return 0
