"""A real `up` process beside the bench, asked over its REST API."""

import http.client
import json
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from config.benches.commands import CommandFailed, command_line, command_run
from config.demo.account import ADMIN_NAME
from config.demo.scratch_home import clean_environment

STOP_SECONDS = 60.0
ASK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A running server and a key to it."""

    netloc: str
    key: str

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the reply to a call below /api/v1. Raises: CommandFailed with the server's own words."""
        connection = http.client.HTTPConnection(self.netloc, timeout=ASK_SECONDS)
        headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        if reply.status >= 400:
            raise CommandFailed(
                f"{method} {path} was answered {reply.status}: {content[:500].decode(errors='replace')}"
            )
        answer: dict[str, Any] = json.loads(content)
        return answer


@contextmanager
def running_up(changes: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Run `up` on a free port in this bench's home while the block runs.

    changes: environment variables that differ from the bench's own. Raises: CommandFailed.
    """
    with subprocess.Popen(  # noqa: S603  our own command
        command_line("up", "--port", "0", "--json"),
        env=clean_environment(settings.QUARRY.home, changes),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        try:
            line = child.stdout.readline()
            if not line:
                raise CommandFailed(f"`up` ended with code {child.wait()} before it served; it said why above.")
            key = command_run(["apikey", ADMIN_NAME]).reply["key"]
            yield Running(urlsplit(json.loads(line)["url"]).netloc, key)
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(STOP_SECONDS)
