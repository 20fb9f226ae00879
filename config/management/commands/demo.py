"""`manage.py demo`: show Quarry at work on a sample site, in a data folder of its own."""

import signal
import sys
import threading
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandParser
from rich.markup import escape
from rich.table import Table

from config.demo import demonstration, scratch_home
from config.demo.account import ADMIN_NAME, admin_ensure
from config.operate.serving import PortBusy, web_server
from extraction.management.commands.search import show_hits
from jobs.cli.base import QuarryCommand
from jobs.cli.start import summary_lines
from jobs.worker.host import WorkerHost


class Command(QuarryCommand):
    needs_tables = False
    help = "Crawl, extract, index and search a sample site, and show the results."

    def arguments(self, parser: CommandParser) -> None:
        """Take the port and `--once`."""
        parser.add_argument("--once", action="store_true", help="exit afterwards instead of serving the admin")
        parser.add_argument(
            "--port", type=int, default=8000, help="port of the admin (default: 8000, or any free one if that is taken)"
        )

    def run(self, **options: Any) -> int:
        """Start in an empty data folder, then demonstrate."""
        if not scratch_home.is_entered():
            scratch_home.home_enter(settings.QUARRY.home / "demo")
        return self._demonstrate(**options)

    def _demonstrate(self, **options: Any) -> int:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        sys.setswitchinterval(0.0005)
        self._say("Starting PostgreSQL and the workers …")
        call_command("migrate", verbosity=0, interactive=False)
        password = admin_ensure()
        with ExitStack() as stack:
            server = _server(stack, options["port"])
            stack.enter_context(WorkerHost())
            server.quarry_announce()
            thread = threading.Thread(target=server.run, name="web", daemon=True)
            thread.start()
            shown = demonstration.demonstrate(quiet=self.as_json)
            admin = {"url": f"{server.quarry_url}/admin/", "user": ADMIN_NAME, "password": password}
            if self.as_json:
                self.print_json(_as_json(shown, admin))
                self.stdout.flush()
            else:
                self._show(shown, admin, once=options["once"])
            if not options["once"]:
                thread.join()
        return 0

    def _say(self, text: str) -> None:
        if not self.as_json:
            self.stdout.write(text)
            self.stdout.flush()

    def _show(self, shown: Any, admin: dict[str, Any], *, once: bool) -> None:
        console = self.console()
        table = Table("page", "field", "value", "evidence", title="Extracted values, each with its quote")
        for value in shown.values:
            field = f"{value.group}.{value.field}"
            proof = f"“{value.quote}” ({value.method})"
            table.add_row(*(escape(text) for text in (value.path, field, value.value, proof)))
        console.print(table)
        console.print(f"Search: [bold]{escape(shown.found['query'])}[/bold]")
        show_hits(shown.found, console)
        console.print()
        for summary in shown.summaries:
            console.print("\n".join(summary_lines(summary)), markup=False, soft_wrap=True)
        crawl = shown.summaries[0]
        states = " + ".join(f"{number} {state}" for state, number in crawl["counts"].items())
        console.print(f"Every URL accounted for: {states} = {crawl['urls_found']} found.")
        console.print(
            f"{shown.sources} sources, {shown.extractions} extractions, {shown.passages} passages"
            f" in {shown.seconds:.1f} s."
        )
        if not once:
            console.print(f"Admin: {admin['url']}  (user {admin['user']}, password {admin['password']})", markup=False)
            console.print("Stop with Ctrl-C.")


def _server(stack: ExitStack, port: int) -> Any:
    """Return the web server on the port asked for, or on a free one if that is taken."""
    try:
        return stack.enter_context(web_server("127.0.0.1", port))
    except PortBusy:
        return stack.enter_context(web_server("127.0.0.1", 0))


def _as_json(shown: Any, admin: dict[str, Any]) -> dict[str, Any]:
    crawl = shown.summaries[0]
    return {
        "jobs": shown.summaries,
        "counts": crawl["counts"],
        "reasons": crawl["reasons"],
        "urls_found": crawl["urls_found"],
        "sources": shown.sources,
        "extractions": shown.extractions,
        "passages": shown.passages,
        "hits": len(shown.found["results"]),
        "values": [asdict(value) for value in shown.values],
        "seconds": round(shown.seconds, 2),
        "admin": admin,
    }
