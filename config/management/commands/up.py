"""`manage.py up`: everything in one process: web server, workers, healing, and PostgreSQL beside it."""

import signal
import sys
from contextlib import ExitStack
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser

from config.demo.account import ADMIN_NAME, admin_ensure
from config.operate.serving import web_server
from jobs.cli.base import QuarryCommand
from jobs.errors import Conflict
from jobs.worker.host import WorkerBusy, WorkerHost

SWITCH_INTERVAL_SECONDS = 0.0005  # otherwise two CPU-bound threads slow down every database round trip


class Command(QuarryCommand):
    needs_tables = False
    is_service = True
    help = "Start Quarry: the web server, the workers and, unless DATABASE_URL is set, PostgreSQL."

    def arguments(self, parser: CommandParser) -> None:
        """Take the address."""
        parser.add_argument("--host", default="127.0.0.1", help="address to serve on (default: 127.0.0.1)")
        parser.add_argument(
            "--port", type=int, default=8000, help="port to serve on (default: 8000; 0 for any free one)"
        )

    def run(self, **options: Any) -> int:
        """Serve until interrupted."""
        sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
        signal.signal(signal.SIGTERM, _interrupt)
        with ExitStack() as stack:
            server = stack.enter_context(web_server(options["host"], options["port"]))
            call_command("migrate", verbosity=0, interactive=False)
            password = admin_ensure()
            if not settings.QUARRY.broker_url:
                stack.enter_context(_workers())
            server.quarry_announce()
            self._announce(server.quarry_url, password)
            server.run()
        return 0

    def _announce(self, url: str, password: str | None) -> None:
        if self.as_json:
            self.print_json({"url": url, "admin": f"{url}/admin/", "user": ADMIN_NAME, "password": password})
        else:
            self.stdout.write(f"Quarry is up: {url}/admin/")
            if password:
                self.stdout.write(f"Log in as {ADMIN_NAME} with the password {password} (shown only this once).")
            self.stdout.write("Stop it with Ctrl-C.")
        self.stdout.flush()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _workers() -> ExitStack:
    stack = ExitStack()
    try:
        stack.enter_context(WorkerHost())
    except WorkerBusy as error:
        raise Conflict(
            "Another process is already working on this database (`up`, or a command that runs a job);"
            " stop it or wait for it, then start again.",
            code="already_up",
        ) from error
    return stack
