"""A REST server that answers what a test wants, over real HTTP, and remembers every request with its body."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Seen:
    """One request; header names are in lower case, `query` has every value as a list."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any

    @property
    def path(self) -> str:
        """The path below the API's prefix, as it came over the wire."""
        return urlsplit(self.target).path.removeprefix("/api/v1")

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)


@dataclass(frozen=True)
class Answer:
    """One reply. hangs_up: close the connection instead, after `body` if `claims_bytes` more were announced."""

    body: Any = None
    status: int = 200
    content_type: str | None = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    claims_bytes: int | None = None

    @property
    def data(self) -> bytes:
        return (
            self.body if isinstance(self.body, bytes) else b"" if self.body is None else json.dumps(self.body).encode()
        )


def problem(status: int, code: str, detail: str, **members: Any) -> Answer:
    """Return an error as the API tells it."""
    body = {"type": f"urn:quarry:problem:{code}", "title": "Refused", "status": status, "detail": detail, "code": code}
    return Answer(body | members, status, PROBLEM)


class RestServer:
    """Answers with `answer`, or with the next of `answers` while there are any. `seen` is its log."""

    def __init__(self) -> None:
        self.answer: Answer | Callable[[Seen], Answer] = Answer({})
        self.answers: list[Answer] = []
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                server.reply(self)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def reply(self, handler: BaseHTTPRequestHandler) -> None:
        """Read one request, remember and answer it."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        seen = Seen(handler.command, handler.path, headers, json.loads(body) if body else None)
        self.seen.append(seen)
        wanted = self.answers.pop(0) if self.answers else self.answer
        answer = wanted(seen) if callable(wanted) else wanted
        handler.close_connection = answer.hangs_up
        if answer.hangs_up and answer.claims_bytes is None:
            return
        handler.send_response(answer.status)
        if answer.content_type is not None:
            handler.send_header("Content-Type", answer.content_type)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.data) + (answer.claims_bytes or 0)))
        handler.end_headers()
        handler.wfile.write(answer.data)

    @property
    def last(self) -> Seen:
        return self.seen[-1]


@contextmanager
def rest_server() -> Iterator[RestServer]:
    """Run a server for the length of a `with` block."""
    server = RestServer()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join(10)
