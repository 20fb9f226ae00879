"""Serving the web part of the embedded profile: waitress in this process, and how other processes find it."""

import errno
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from waitress.server import create_server

from config.web.limits import MAX_BODY_BYTES, WEB_THREADS
from config.wsgi import application
from jobs.api.keys import local_key
from jobs.errors import QuarryError


class PortBusy(QuarryError):
    """The port is taken"""

    code = "port_busy"


@contextmanager
def web_server(host: str, port: int) -> Iterator[Any]:
    """Yield a waitress server bound to the address (port 0: any free one); call its `run()`.

    `quarry_url` is its address. `quarry_announce()` writes that address and a key for this user's other processes to
    `up.json`; call it once it is certain that this process works. Closing makes the key invalid and removes the file.
    Raises: PortBusy.
    """
    listener = _bound(host, port)
    server = create_server(
        application,
        sockets=[listener],
        threads=WEB_THREADS,
        max_request_body_size=MAX_BODY_BYTES,
        ident="",
        clear_untrusted_proxy_headers=True,
    )
    server.quarry_url = f"http://{_shown(host)}:{listener.getsockname()[1]}"
    path = settings.QUARRY.home / "up.json"
    server.quarry_announce = partial(_announce, path, server.quarry_url)
    try:
        yield server
    finally:
        if local_key.value:  # announced: the file is ours to remove
            local_key.value = ""
            path.unlink(missing_ok=True)
        server.close()


def _announce(path: Path, url: str) -> None:
    local_key.value = secrets.token_urlsafe(32)
    _write_private(path, {"url": url, "key": local_key.value, "pid": os.getpid()})


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except socket.gaierror as error:
        raise PortBusy(
            f"{host!r} is not an address of this machine; give one with --host, such as 127.0.0.1."
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            detail = f"Port {port} on {host} is in use; stop what uses it or choose another with --port."
        elif error.errno == errno.EACCES:
            detail = f"Port {port} needs more privileges than this user has; choose one above 1023 with --port."
        else:
            detail = f"Quarry cannot listen on {host}:{port} ({error.strerror}); choose another with --host and --port."
        raise PortBusy(detail) from error


def _shown(host: str) -> str:
    """Return the host as a browser on this machine reaches it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  the wildcard is only translated
    return f"[{name}]" if ":" in name else name


def _write_private(path: Path, value: dict[str, Any]) -> None:
    """Write the file so that nobody else can read it, not even while it is being written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(value, file)
    fresh.replace(path)
