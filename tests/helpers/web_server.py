"""A small web server for tests that can misbehave in every way the real web does.

    with serve({"/": "<p>hello</p>", "/gone": Reply(status=410)}) as server:
        fetch(server.url("/"))
        assert server.paths == ["/"]

A route is a Reply, text or bytes (a 200 HTML page), or a callable that gets the Request and returns one of these;
`routes` may also be one such callable for everything. Unknown paths are 404. The server runs in its own thread with
its own loop and can be used from any test, synchronous or not.
"""

import asyncio
import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `started` is time.monotonic()."""

    method: str
    target: str  #: path with query
    headers: Mapping[str, str]  #: names in lower case
    started: float

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def host(self) -> str:
        return self.headers.get("host", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, and what goes wrong with it.

    delay_seconds: before anything is sent. drip: (bytes per piece, seconds between pieces). break_after: close the
    connection after that many bytes of the body (0: after the headers). content_length: what to claim instead of
    the truth (-1: claim nothing, the end of the connection ends the body). hang_up: close without answering.
    raw: send these bytes instead of an HTTP reply. Header values may be bytes.
    """

    body: str | bytes = b""
    status: int = 200
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    content_type: str | None = "text/html; charset=utf-8"
    delay_seconds: float = 0.0
    drip: tuple[int, float] | None = None
    break_after: int | None = None
    content_length: int | None = None
    hang_up: bool = False
    raw: bytes | None = None


Answer = Reply | str | bytes
Route = Answer | Callable[[Request], Answer]
Routes = Mapping[str, Route] | Callable[[Request], Answer]


def redirect(location: str, *, status: int = 302) -> Reply:
    """Return a redirect; a loop is two of them."""
    return Reply(status=status, headers={"Location": location})


def throttled(retry_after: str | None = "7", *, status: int = 429) -> Reply:
    """Return a 429 (or 503), with Retry-After unless None."""
    return Reply(status=status, headers={} if retry_after is None else {"Retry-After": retry_after})


def zipped(body: str | bytes, **changes: object) -> Reply:
    """Return a gzip-compressed page."""
    data = gzip.compress(body.encode() if isinstance(body, str) else body)
    return replace(Reply(data, headers={"Content-Encoding": "gzip"}), **changes)  # type: ignore[arg-type]


def bomb(unpacked_bytes: int, *, padding: bytes = b"\0") -> Reply:
    """Return a page that is small on the wire and `unpacked_bytes` large after decompression."""
    return zipped(padding * unpacked_bytes)


def conditional(body: str, *, etag: str | None = None, last_modified: str | None = None) -> Callable[[Request], Reply]:
    """Return a route that answers 304 to whoever has the same ETag or date."""

    def answer(request: Request) -> Reply:
        validators = {"ETag": etag, "Last-Modified": last_modified}
        headers = {name: value for name, value in validators.items() if value is not None}
        has_same = etag is not None and request.headers.get("if-none-match") == etag
        has_same |= last_modified is not None and request.headers.get("if-modified-since") == last_modified
        return Reply(status=304, headers=headers, content_type=None) if has_same else Reply(body, headers=headers)

    return answer


class WebServer:
    """A running server. `requests` is its log; `routes` may be exchanged while it runs.

    in_flight_most: the most requests that were being answered at once. aborted: paths whose reply the client did
    not wait for. connections: how many were opened. pieces_sent: of bodies, see Reply.drip.
    """

    def __init__(self, routes: Routes, *, addresses: tuple[str, ...] = ("127.0.0.1",)) -> None:
        self.routes = routes
        self.addresses = addresses
        self.requests: list[Request] = []
        self.aborted: list[str] = []
        self.in_flight = 0
        self.in_flight_most = 0
        self.connections = 0
        self.pieces_sent = 0
        self._changed = threading.Condition()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="webserver", daemon=True)
        self._handlers: set[asyncio.Task[None]] = set()

    def url(self, target: str = "/", *, host: str = "127.0.0.1") -> str:
        """Return the address of `target`; `host` may be any name that leads here, such as localhost."""
        return f"http://{host}:{self.port}{target}"

    @property
    def paths(self) -> list[str]:
        """Return the paths asked for so far, in order."""
        return [request.path for request in self.requests]

    def wait_until(self, is_so: Callable[[], object], *, seconds: float = 10.0) -> None:
        """Return as soon as `is_so`, a look at this server's log, holds; fail after `seconds`."""
        with self._changed:
            assert self._changed.wait_for(is_so, seconds), "the test web server did not see it in time"

    def start(self) -> None:
        """Start the thread and return once the port is open."""
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the test web server did not start")

    def stop(self) -> None:
        """Drop all connections and end the thread."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        servers = []
        for address in self.addresses:
            server = await asyncio.start_server(self._accept, address, self.port, limit=2**16)
            self.port = server.sockets[0].getsockname()[1]
            servers.append(server)
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()
        for task in list(self._handlers):
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        self.connections += 1
        try:
            while (request := await _read_request(reader)) is not None:
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the server stops
        finally:
            writer.transport.abort()
            self._handlers.discard(task)

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        with self._changed:
            self.requests.append(request)
            self.in_flight += 1
            self.in_flight_most = max(self.in_flight_most, self.in_flight)
            self._changed.notify_all()
        sending = asyncio.ensure_future(_send(self._reply_to(request), request, writer, self._note_piece))
        closing = asyncio.ensure_future(reader.read(1))  # ends early only when the client hangs up
        try:
            await asyncio.wait({sending, closing}, return_when=asyncio.FIRST_COMPLETED)
            if not sending.done():
                with self._changed:
                    self.aborted.append(request.path)
                    self._changed.notify_all()
                return False
            return sending.result()
        finally:
            self.in_flight -= 1
            sending.cancel()
            closing.cancel()
            await asyncio.gather(sending, closing, return_exceptions=True)

    def _note_piece(self) -> None:
        with self._changed:
            self.pieces_sent += 1
            self._changed.notify_all()

    def _reply_to(self, request: Request) -> Reply:
        routes = self.routes
        route: Route = routes if callable(routes) else routes.get(request.target, routes.get(request.path, _NOT_FOUND))
        answer = route(request) if callable(route) else route
        return answer if isinstance(answer, Reply) else Reply(answer)


_NOT_FOUND = Reply("<h1>Not found</h1>", status=404)


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    line = await reader.readline()
    if not line.strip():
        return None
    started = time.monotonic()
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = {}
    while (header := (await reader.readline()).decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    return Request(method, target, headers, started)


async def _send(reply: Reply, request: Request, writer: asyncio.StreamWriter, note_piece: Callable[[], None]) -> bool:
    """Send the reply; return whether the connection may serve another request."""
    if reply.delay_seconds:
        await asyncio.sleep(reply.delay_seconds)
    if reply.hang_up:
        return False
    body = reply.body.encode() if isinstance(reply.body, str) else reply.body
    if reply.raw is not None:
        writer.write(reply.raw)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return False
    writer.write(_head(reply, len(body)))
    sent = body if reply.break_after is None else body[: reply.break_after]
    if request.method != "HEAD":
        size, pause = reply.drip or (max(len(sent), 1), 0.0)
        for start in range(0, len(sent), size):
            writer.write(sent[start : start + size])
            await writer.drain()
            note_piece()
            if pause:
                await asyncio.sleep(pause)
    if reply.break_after is not None or reply.content_length is not None:
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return False
    return request.headers.get("connection", "").lower() != "close"


def _head(reply: Reply, length: int) -> bytes:
    headers: dict[str, str | bytes] = {}
    if reply.content_type is not None:
        headers["Content-Type"] = reply.content_type
    if reply.content_length != -1 and reply.status != 304:
        headers["Content-Length"] = str(length if reply.content_length is None else reply.content_length)
    headers.update(reply.headers)
    try:
        phrase = HTTPStatus(reply.status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {reply.status} {phrase}".encode()]
    lines += [name.encode() + b": " + (v if isinstance(v, bytes) else v.encode()) for name, v in headers.items()]
    return b"\r\n".join(lines) + b"\r\n\r\n"


@contextlib.contextmanager
def serve(routes: Routes, *, addresses: tuple[str, ...] = ("127.0.0.1",)) -> Iterator[WebServer]:
    """Run a server for the length of a `with` block. addresses: loopback addresses, all on the same port."""
    server = WebServer(routes, addresses=addresses)
    server.start()
    try:
        yield server
    finally:
        server.stop()
