"""`manage.py mcp`: serve AI agents over the Model Context Protocol. It talks to the REST API, never to the database."""

import asyncio
import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from jobs.cli.base import QuarryCommand
from jobs.errors import Invalid
from jobs.mcp.client import QuarryClient
from jobs.mcp.connection import connection_find


class Command(QuarryCommand):
    help = (
        "Serve AI agents over the Model Context Protocol, on stdin and stdout or over HTTP. The server behind it is"
        " the one of QUARRY_URL and QUARRY_API_KEY, else the running `up` of this machine."
    )

    needs_tables = False  # it speaks to the REST API only
    is_service = True

    def arguments(self, parser: CommandParser) -> None:
        """Take the address for HTTP."""
        parser.add_argument(
            "--http",
            metavar="HOST:PORT",
            help="serve streamable HTTP at this address instead; requests must bear QUARRY_API_KEY",
        )

    def run(self, **options: Any) -> int:
        """Serve until the client hangs up or somebody interrupts."""
        from jobs.mcp.serving import http_serve, stdio_serve  # a second of imports that other commands do not need

        for talkative in ("httpx", "mcp"):  # they tell of every request
            logging.getLogger(talkative).setLevel(logging.WARNING)
        client = QuarryClient(connection_find)
        if options["http"] is None:
            # The thread that reads stdin would keep an interrupted process alive.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            asyncio.run(stdio_serve(client))
            return 0
        key = settings.QUARRY.quarry_api_key
        if not key:
            raise Invalid(
                "Serving HTTP needs a key that requests must bear: set QUARRY_API_KEY;"
                " `manage.py apikey USER` prints a new one."
            )
        hosts = [name for name in settings.ALLOWED_HOSTS if name != "*"]
        asyncio.run(http_serve(client, address=options["http"], key=key, host_names=hosts))
        return 0
