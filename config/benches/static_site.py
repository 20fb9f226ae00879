"""Real documentation as a website: a fast loopback server over a folder, standard library only.

    python config/benches/static_site.py FOLDER [--port N]

prints the address and serves until standard input ends.
"""

import argparse
import contextlib
import mimetypes
import os
import posixpath
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

CACHED_FILE_BYTES = 2 * 1024 * 1024  # larger files are sent by the kernel, straight from the disk
MAX_HEAD_BYTES = 64 * 1024
IDLE_SECONDS = 60
TEXT_TYPES = {".txt": "text/plain", ".rst": "text/plain", ".html": "text/html", ".htm": "text/html"}


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer: head without the final blank line, and either a body or the file to send."""

    head: bytes
    body: bytes
    etag: bytes = b""
    file: Path | None = None
    length: int = 0


class FolderServer(socketserver.ThreadingTCPServer):
    """Serves one folder on 127.0.0.1; small files are answered from memory after the first request."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder.resolve(strict=True)
        self.replies: dict[str, Reply] = {}
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), FolderHandler)

    @property
    def url(self) -> str:
        """The address of the folder, with a final slash."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def reply(self, target: str) -> Reply:
        """Return the answer to a request target, building it once."""
        path = unquote(target.partition("?")[0])
        known = self.replies.get(path)
        if known is None:
            known = self._build(path)
            if known.etag:  # what is not there is not remembered: a crawler can invent any number of such paths
                self.replies[path] = known
        return known

    def _build(self, path: str) -> Reply:
        file = self._file(path)
        if file is not None and file.is_dir():
            place = quote(path.rstrip("/") + "/").encode()
            head = b"HTTP/1.1 301 Moved Permanently\r\nLocation: " + place + b"\r\nContent-Length: 0\r\n"
            return Reply(head, b"")
        if file is None or not file.is_file():
            body = b"<!DOCTYPE html><title>Not found</title><h1>Not found</h1>"
            head = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n"
            return Reply(head % len(body), body)
        facts = file.stat()
        etag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"'
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: {content_type(file)}\r\nContent-Length: {facts.st_size}\r\n"
            f"ETag: {etag}\r\nLast-Modified: {formatdate(facts.st_mtime, usegmt=True)}\r\n"
        ).encode()
        if facts.st_size > CACHED_FILE_BYTES:
            return Reply(head, b"", etag.encode(), file, facts.st_size)
        return Reply(head, file.read_bytes(), etag.encode())

    def _file(self, path: str) -> Path | None:
        """Return the file or folder at a URL path; `..` is resolved as text and cannot leave the folder."""
        if "\0" in path or not path.startswith("/"):
            return None
        file = self.folder / posixpath.normpath("/" + path.lstrip("/")).lstrip("/")
        if path.endswith("/"):
            file = file / "index.html"
            return file if file.is_file() else None
        return file

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent about clients that hang up; report anything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Cut the connections still open."""
        for connection in tuple(self.connections):
            with contextlib.suppress(OSError):  # the client was faster
                connection.shutdown(socket.SHUT_RDWR)


class FolderHandler(socketserver.StreamRequestHandler):
    """One keep-alive connection; a hand-written parser, because http.server's costs most of the time."""

    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    server: FolderServer

    def handle(self) -> None:
        while self._answer():
            pass

    def _answer(self) -> bool:
        """Answer one request; return whether the connection stays open."""
        words = self.rfile.readline(MAX_HEAD_BYTES).split()
        if len(words) != 3:
            if words:
                self.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return False
        headers = self._headers()
        keep = words[2] == b"HTTP/1.1" and headers.get(b"connection", b"").lower() != b"close"
        if words[0] not in (b"GET", b"HEAD"):
            self.connection.sendall(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\n\r\n")
            return False
        reply = self.server.reply(words[1].decode("latin-1"))
        end = b"\r\n" if keep else b"Connection: close\r\n\r\n"
        if reply.etag and reply.etag in headers.get(b"if-none-match", b""):
            self.connection.sendall(b"HTTP/1.1 304 Not Modified\r\nETag: " + reply.etag + b"\r\n" + end)
        elif words[0] == b"HEAD":
            self.connection.sendall(reply.head + end)
        elif reply.file is None:
            self.connection.sendall(reply.head + end + reply.body)
        else:
            self.connection.sendall(reply.head + end)
            with reply.file.open("rb") as body:
                self.connection.sendfile(body, count=reply.length)
        return keep

    def _headers(self) -> dict[bytes, bytes]:
        headers = {}
        for line in iter(lambda: self.rfile.readline(MAX_HEAD_BYTES), b""):
            name, colon, value = line.partition(b":")
            if not colon:
                break
            headers[name.lower()] = value.strip()
        return headers


def content_type(file: Path) -> str:
    """Return the media type of a file by its name; text that is meant for readers is declared as UTF-8."""
    kind = TEXT_TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


@contextlib.contextmanager
def serve_folder(path: str | os.PathLike[str], *, in_child: bool = False) -> Iterator[str]:
    """Serve a folder on loopback while the block runs; the value is its URL with a final slash.

    in_child: serve from a process of its own, so that a measured crawler does not share its interpreter lock.
    Raises: FileNotFoundError, when there is no such folder.
    """
    folder = Path(path).resolve(strict=True)
    if in_child:
        with _served_by_child(folder) as url:
            yield url
        return
    server = FolderServer(folder)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="static-site", daemon=True).start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        server.hang_up()


@contextlib.contextmanager
def _served_by_child(folder: Path) -> Iterator[str]:
    command = [sys.executable, __file__, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:  # noqa: S603
        assert child.stdin is not None and child.stdout is not None
        try:
            url = child.stdout.readline().strip()
            if not url:
                raise RuntimeError(f"the server of {folder} ended with code {child.wait()} before it was ready")
            yield url
        finally:
            child.stdin.close()  # the child serves until its standard input ends, so it cannot outlive us
            child.wait(timeout=10)


def main() -> None:
    """Serve the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Serve a folder on 127.0.0.1 until standard input ends.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    server = FolderServer(given.folder, given.port)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    sys.stdout.write(f"{server.url}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
