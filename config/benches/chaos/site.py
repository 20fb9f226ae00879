"""The site that chaos crawls: sixty small pages, some slow, some failing, some other words in every edition."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGES = 60
LINKS = 6  #: each page links to so many further ones
PAGE_SECONDS = 0.05
SLOW_SECONDS = 0.8
STONES = ("granite", "marble", "basalt", "gneiss", "slate", "gabbro", "dolerite", "travertine")


@dataclass
class ChaosSite:
    """Where the pages are, and in which edition; a third of the pages says something else in each edition.

    refused: pages that have already failed once, as they do in each edition.
    """

    port: int = 0
    edition: int = 1
    refused: set[tuple[int, int]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """The address of the start page."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def urls(self) -> set[str]:
        """Return the addresses of all pages that links reach, those that fail included."""
        return {self.url, *(f"{self.url}stone-{number}" for number in range(1, PAGES))}

    def answer(self, path: str) -> tuple[int, str]:
        """Return status and HTML of a path, after the time the page takes."""
        name = path.strip("/")
        number = 0 if not name else int(name.removeprefix("stone-")) if name.startswith("stone-") else -1
        if not 0 <= number < PAGES:
            return 404, "<h1>No such page</h1>"
        time.sleep(SLOW_SECONDS if number % 13 == 7 else PAGE_SECONDS)
        if number % 17 == 16:
            return 404, "<h1>Lost</h1>"
        if number == 23 and self._refuse_once(number):
            return 500, "<h1>Out of order</h1>"
        return 200, self._page(number)

    def _refuse_once(self, number: int) -> bool:
        visit = (self.edition, number)
        is_first = visit not in self.refused
        self.refused.add(visit)
        return is_first

    def _page(self, number: int) -> str:
        edition = self.edition if number % 3 == 0 else 1
        further = range(number * LINKS + 1, min(number * LINKS + LINKS + 1, PAGES))
        anchors = " ".join(f'<a href="/stone-{other}">Stone {other}</a>' for other in further)
        return (
            f'<!DOCTYPE html><html lang="en"><head><title>Stone {number}</title></head><body><main>'
            f"<h1>Stone {number}</h1><p>Stone {number} is {STONES[number % len(STONES)]} from pit {number * 7919}, and"
            f" this is what edition {edition} says about it.</p><h2>Price</h2><p>It costs {number + edition}.50 EUR"
            f' and was cut in {1500 + number}.</p></main><nav><a href="/">Start</a> {anchors}</nav></body></html>'
        )


@contextmanager
def chaos_site() -> Iterator[ChaosSite]:
    """Serve the site from threads while the block runs."""
    site = ChaosSite()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = site.answer(self.path)
            content = text.encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:
                return  # the crawler was killed in the middle of it

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, name="chaos-site", daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
