"""An `up` process that chaos starts, asks, kills and starts again."""

import http.client
import json
import signal
import subprocess
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import urlsplit

from django.conf import settings

from config.benches.commands import CommandFailed, command_run
from config.demo.account import ADMIN_NAME
from config.demo.scratch_home import clean_environment

STOP_SECONDS = 60.0
ASK_SECONDS = 30.0


@dataclass
class Server:
    """`up` in this bench's home, whatever happens to it. words: the command line that starts it."""

    words: list[str]
    process: "subprocess.Popen[str] | None" = None
    netloc: str = ""
    key: str = ""

    def start(self) -> None:
        """Start `up` on a free port and return once it serves. Raises: CommandFailed."""
        with self._log() as log:
            self.process = subprocess.Popen(  # noqa: S603  our own command
                [*self.words, "up", "--port", "0", "--json"],
                env=clean_environment(settings.QUARRY.home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise CommandFailed(f"`up` ended with code {self.process.wait()} before it served; see its log, up.log.")
        self.netloc = urlsplit(json.loads(line)["url"]).netloc
        if not self.key:
            self.key = command_run(["apikey", ADMIN_NAME]).reply["key"]

    def end(self, number: signal.Signals) -> None:
        """Send the signal and return once the process is gone; SIGTERM must end it with code 0."""
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            code = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if code != (0 if number is signal.SIGTERM else -number):
            raise CommandFailed(f"`up` ended with code {code} after {number.name}; see its log, up.log.")

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Return status and reply of a call below /api/v1. Raises: CommandFailed for a 5xx."""
        connection = http.client.HTTPConnection(self.netloc, timeout=ASK_SECONDS)
        headers = {"X-API-Key": self.key, "Content-Type": "application/json", "Prefer": "wait=0"}
        connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, headers)
        reply = connection.getresponse()
        content = reply.read()
        connection.close()
        if reply.status >= 500:
            raise CommandFailed(f"{method} {path} was answered {reply.status}: {content[:500].decode()}")
        return reply.status, json.loads(content) if content else {}

    def _log(self) -> IO[str]:
        return (settings.QUARRY.home / "up.log").open("a", encoding="utf-8")
