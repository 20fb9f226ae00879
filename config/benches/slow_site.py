"""A site whose pages take their time, on loopback: what a cancel must interrupt. Standard library only."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

WAIT_SECONDS = 60.0


@dataclass
class SlowSite:
    """A start page with links to `pages` pages that each take `page_seconds`.

    asked: time.monotonic() at which each request for such a page arrived. in_flight: how many wait at present.
    quiet_at: time.monotonic() at which the last of them was answered or given up.
    """

    pages: int
    page_seconds: float
    port: int = 0
    asked: list[float] = field(default_factory=list)
    in_flight: int = 0
    quiet_at: float = 0.0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        """The address of the start page."""
        return f"http://127.0.0.1:{self.port}/"

    def wait_quiet(self) -> None:
        """Return once nobody waits for a page. Raises: TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.in_flight == 0, WAIT_SECONDS):
                raise TimeoutError(f"{self.in_flight} requests are still open after {WAIT_SECONDS:.0f} s")

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, one request."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split(b" ", 2)[1].decode("latin-1")
            if target.startswith("/page-"):
                await self._wait(reader)
            writer.write(_reply(self._body(target)))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client went away: that is what is measured
        finally:
            writer.close()

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        """Take the page's time, or less if the client hangs up."""
        self._count(1)
        try:
            await asyncio.wait_for(reader.read(1), self.page_seconds)
            raise ConnectionResetError
        except TimeoutError:
            return
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._changed:
            if change > 0:
                self.asked.append(time.monotonic())
            self.in_flight += change
            if not self.in_flight:
                self.quiet_at = time.monotonic()
            self._changed.notify_all()

    def _body(self, target: str) -> str | None:
        if target == "/":
            return "".join(f'<p><a href="/page-{number}">Page {number}</a></p>' for number in range(self.pages))
        return f"<h1>{target}</h1><p>A page that took its time.</p>" if target.startswith("/page-") else None


def _reply(body: str | None) -> bytes:
    status = "404 Not Found" if body is None else "200 OK"
    content = f"<!DOCTYPE html><html lang='en'><title>Slow</title><body>{body or status}</body></html>".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + content


@contextmanager
def slow_site(*, pages: int, page_seconds: float) -> Iterator[SlowSite]:
    """Serve such a site from a thread while the block runs."""
    site = SlowSite(pages, page_seconds)
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(site.answer, "127.0.0.1", 0, backlog=1024))
    site.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, name="slow-site", daemon=True)
    thread.start()
    try:
        yield site
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
