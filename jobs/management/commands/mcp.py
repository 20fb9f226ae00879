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
        "Serve AI agents over the Model Context Protocol, on stdin and stdout or over HTTP. It calls the server that"
        " QUARRY_URL and QUARRY_API_KEY name, or else the `up` that runs on this machine."
    )

    needs_tables = False  # it speaks to the REST API only
    is_service = True

    def arguments(self, parser: CommandParser) -> None:
        """Add the address for HTTP."""
        parser.add_argument(
            "--http",
            metavar="HOST:PORT",
            help="serve streamable HTTP at this address instead; requests must send QUARRY_API_KEY as a bearer token",
        )

    def run(self, **options: Any) -> int:
        """Serve until the client disconnects or the process is interrupted; return 0."""
        from jobs.mcp.serving import http_serve, stdio_serve  # a second of imports that other commands do not need

        for verbose in ("httpx", "mcp"):  # they log every request
            logging.getLogger(verbose).setLevel(logging.WARNING)
        client = QuarryClient(connection_find)
        if options["http"] is None:
            # The thread that reads stdin would keep an interrupted process alive.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            asyncio.run(stdio_serve(client))
            return 0
        key = settings.QUARRY.quarry_api_key
        if not key:
            raise Invalid(
                "To serve HTTP, set QUARRY_API_KEY to the key that requests must send;"
                " `manage.py apikey USER` prints a new one."
            )
        hosts = [name for name in settings.ALLOWED_HOSTS if name != "*"]
        asyncio.run(http_serve(client, address=options["http"], key=key, host_names=hosts))
        return 0
