"""A data folder for one test and the real processes that work in it: `up`, commands, PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from config.embedded.state import RunningServer, read_note
from config.environment.env import CHECKOUT, VARIABLES
from tests.helpers.embedded_home import Home
from tests.helpers.processes import eventually, is_alive

STOP_SECONDS = 60
SETTINGS = {
    "CRAWL_ALLOW_NETWORKS": "127.0.0.0/8",
    "CRAWL_DELAY_SECONDS": "0",
    "CRAWL_CONCURRENCY": "8",
    "LOG_LEVEL": "WARNING",
}


@dataclass
class Up:
    """A running `up`: its process and its address."""

    process: subprocess.Popen
    url: str
    started_in_seconds: float
    key: str = ""

    def ask(self, method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
        """Return status and JSON of a REST call."""
        request = urllib.request.Request(
            f"{self.url}/api/v1{path}",
            data=json.dumps(body).encode() if body is not None else None,
            method=method,
            headers={"Content-Type": "application/json", "X-API-Key": self.key},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            self.process.stdout.close()


@dataclass
class Installation:
    """One QUARRY_HOME; `close` ends everything that runs in it."""

    path: Path
    settings: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen] = field(default_factory=list)

    def environment(self, changes: dict[str, str] | None = None) -> dict[str, str]:
        """Return an environment free of the developer's settings."""
        clean = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        for variable in VARIABLES:
            clean.pop(f"{variable.name}_FILE", None)
            clean[variable.name] = ""  # empty means unset, and hides the one in .env
        return clean | SETTINGS | self.settings | {"QUARRY_HOME": str(self.path)} | (changes or {})

    def start(self, *arguments: str, errors: int | None = None, **changes: str) -> subprocess.Popen:
        """Start `manage.py …`; its stderr goes to the test's own unless `errors` says otherwise."""
        process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            env=self.environment(changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, code: int = 0, seconds: float = 90, **changes: str) -> subprocess.CompletedProcess:
        """Run `manage.py …` to its end, which must be with `code`."""
        process = self.start(*arguments, errors=subprocess.PIPE, **changes)
        out, err = process.communicate(timeout=seconds)
        assert process.returncode == code, f"{arguments} ended with {process.returncode}:\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str, **options) -> dict:
        """Run `manage.py … --json` and return the one object it prints."""
        return json.loads(self.run(*arguments, "--json", **options).stdout)

    def up(self, **changes: str) -> Up:
        """Start `up` on a free port and return once it serves its admin's login page."""
        began = time.monotonic()
        process = self.start("up", "--port", "0", "--json", **changes)
        line = process.stdout.readline()
        assert line, f"`up` ended with {process.wait(STOP_SECONDS)}"
        url = json.loads(line)["url"]
        eventually(lambda: serves(f"{url}/admin/login/"))
        return Up(process, url, time.monotonic() - began)

    def up_with_key(self, **changes: str) -> Up:
        """Start `up` and make a key for its API."""
        up = self.up(**changes)
        up.key = self.run("apikey", "admin").stdout.strip()
        return up

    @property
    def note(self) -> RunningServer:
        """What the supervisor says about the running PostgreSQL."""
        note = read_note(self.path / "postgres")
        assert note is not None, "PostgreSQL does not run"
        return note

    def query(self, statement: str, *values: object) -> list[tuple]:
        """Run a statement in this installation's database."""
        folder = self.note.socket_folder
        with psycopg.connect(host=folder, dbname="quarry", user="quarry", connect_timeout=10) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def number(self, statement: str, *values: object) -> int:
        """Return the single number that a query answers."""
        return int(self.query(statement, *values)[0][0])

    def items(self, state: str) -> int:
        """Return how many items of all jobs are in a state."""
        return self.number("SELECT count(*) FROM jobs_workitem WHERE state = %s", state)

    def wait_status(self, job_id: str, *statuses: str, seconds: float = 60) -> None:
        """Return once the job and what it chained stand at one of the statuses."""
        statement = "SELECT count(*) FROM jobs_job WHERE (id = %s OR parent_id = %s) AND status <> ALL(%s)"
        eventually(lambda: self.number(statement, job_id, job_id, list(statuses)) == 0, seconds=seconds)

    def quiet(self) -> None:
        """Return once PostgreSQL has stopped because nobody uses it."""
        note = read_note(self.path / "postgres")
        if note is not None:
            eventually(lambda: not is_alive(note.supervisor_pid))

    def close(self) -> None:
        """End every process of this installation."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait(STOP_SECONDS)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        Home(self.path).close()


def serves(url: str) -> bool:
    """Return whether a GET of the URL is answered 200."""
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status == 200 and bool(reply.read())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
