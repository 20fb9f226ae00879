"""The sample site's web server: loopback only, answers from memory, remembers every request."""

import socket
import sys
import threading
import time
from collections import deque
from datetime import datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from config.demo.sample_site.expected import manifest
from config.demo.sample_site.manifest import LARGE_PATH, REDIRECT_PATH, REDIRECT_TARGET, SLOW_PATH, Manifest
from config.demo.sample_site.rendering import Document, documents, large_document, not_found_document

REMEMBERED_REQUESTS = 50_000
IDLE_SECONDS = 30


class SeenRequest(NamedTuple):
    """One request; the times are seconds of `time.monotonic()`, so that politeness can be measured."""

    method: str
    target: str  #: path with the query, as it was asked for
    status: int
    user_agent: str
    started: float
    answered: float  #: when the answer was ready, just before its first byte left


class SampleSite:
    """A context manager that serves the sample site on 127.0.0.1 from a daemon thread.

    port: 0 takes any free one. slow_seconds: how long the slow page waits before it answers.
    """

    def __init__(self, *, port: int = 0, slow_seconds: float = 1.5) -> None:
        """Prepare the site; nothing is bound before `start`."""
        self.slow_seconds = slow_seconds
        self._port = port
        self._seen: deque[SeenRequest] = deque(maxlen=REMEMBERED_REQUESTS)
        self._server: SiteServer | None = None

    def start(self) -> Self:
        """Bind the port, render the pages for it and begin to answer.

        Raises: OSError, when the port is taken.
        """
        self._server = SiteServer(("127.0.0.1", self._port), SiteHandler)
        self._server.prepare(self.url, slow_seconds=self.slow_seconds, seen=self._seen)
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), name="sample-site", daemon=True).start()
        return self

    def close(self) -> None:
        """Stop answering, close every open connection and free the port; repeating it is harmless."""
        server, self._server = self._server, None
        if server is not None:
            self._port = server.server_address[1]
            server.closing.set()
            server.shutdown()
            server.server_close()
            server.hang_up()

    @property
    def url(self) -> str:
        """The site's address without a final slash; with port 0 it is known from `start` on."""
        port = self._server.server_address[1] if self._server is not None else self._port
        return f"http://127.0.0.1:{port}"

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The latest 50,000 requests, in the order in which they were answered."""
        return tuple(self._seen)

    def manifest(self) -> Manifest:
        """Return what a complete crawl of this site must find."""
        return manifest(self.url)

    def __enter__(self) -> Self:
        """Start the site."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the site."""
        self.close()


class SiteServer(ThreadingHTTPServer):
    """The listening socket with everything its handlers share."""

    request_queue_size = 128
    base: str
    slow_seconds: float
    seen: deque[SeenRequest]

    def prepare(self, base: str, *, slow_seconds: float, seen: deque[SeenRequest]) -> None:
        """Render all small pages for the address `base`; the large one waits for its first visitor."""
        self.base, self.slow_seconds, self.seen = base, slow_seconds, seen
        self.documents = documents(base)
        self.not_found = not_found_document(base)
        self.closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def document(self, path: str) -> Document | None:
        """Return what is served at exactly `path`; paths are dictionary keys, so none can leave the site."""
        if path == LARGE_PATH and path not in self.documents:
            self.documents[path] = large_document(self.base)
        return self.documents.get(path)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, then answer it in a thread of its own."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget and close a connection whose client is done."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Cut the connections still open, so that no keep-alive client holds a handler thread."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that hang up; a crawl that is cancelled does so. Report anything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class SiteHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of one keep-alive connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024  # head and body leave in one packet
    server: SiteServer

    def do_GET(self) -> None:
        """Answer with the document, or with 301, 304 or 404."""
        started = time.monotonic()
        path = unquote(urlsplit(self.path).path)
        if path == SLOW_PATH:
            self.server.closing.wait(self.server.slow_seconds)
        status, document = self._answer(path)
        # Remembered before a byte leaves: whoever has read the answer finds the request in the log.
        agent = self.headers.get("User-Agent", "")
        seen = SeenRequest(self.command, self.path, status, agent, started, time.monotonic())
        self.server.seen.append(seen)
        if document is None:
            self._redirect(status)
        else:
            self._send(status, document)

    do_HEAD = do_GET

    def _answer(self, path: str) -> tuple[HTTPStatus, Document | None]:
        if path == REDIRECT_PATH:
            return HTTPStatus.MOVED_PERMANENTLY, None
        document = self.server.document(path)
        if document is None:
            return HTTPStatus.NOT_FOUND, self.server.not_found
        if self._is_known(document):
            return HTTPStatus.NOT_MODIFIED, document
        return HTTPStatus.OK, document

    def _redirect(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Location", self.server.base + REDIRECT_TARGET)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: HTTPStatus, document: Document) -> None:
        self.send_response(status)
        if status is not HTTPStatus.NOT_FOUND:
            self.send_header("ETag", document.etag)
            self.send_header("Last-Modified", format_datetime(document.modified, usegmt=True))
            self.send_header("Cache-Control", "no-cache")
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", document.content_type)
            self.send_header("Content-Length", str(len(document.body)))
        self.end_headers()
        if status is not HTTPStatus.NOT_MODIFIED and self.command != "HEAD":
            self.wfile.write(document.body)

    def _is_known(self, document: Document) -> bool:
        """Return whether the client has this version already (RFC 9110, 13.1: the tag outranks the date)."""
        tags = self.headers.get("If-None-Match")
        if tags is not None:
            known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
            return "*" in known or document.etag in known
        since = _http_date(self.headers.get("If-Modified-Since"))
        return since is not None and document.modified <= since

    def version_string(self) -> str:
        """Return the Server header; the Python release stays out of it."""
        return "FernhillSample"

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the request log is `SampleSite.requests`."""


def _http_date(value: str | None) -> datetime | None:
    """Return an HTTP date, or None for a missing or malformed one, which RFC 9110 tells servers to ignore."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
