"""Serving MCP: over the pipes of a client that started us, or over streamable HTTP behind a bearer key."""

import json
import logging
import secrets
import socket
from collections.abc import Sequence
from typing import Final

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp, Receive, Scope, Send

from jobs.errors import Invalid
from jobs.mcp.client import QuarryClient
from jobs.mcp.server import server_build

log = logging.getLogger(__name__)

HTTP_PATH: Final = "/mcp"
DEFAULT_HOST: Final = "127.0.0.1"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_REFUSED: Final = {
    "type": "urn:quarry:problem:unauthenticated",
    "title": "Unauthorized",
    "status": 401,
    "detail": "Send the QUARRY_API_KEY that the mcp command was started with in the header Authorization: Bearer.",
    "code": "unauthenticated",
}


async def stdio_serve(client: QuarryClient) -> None:
    """Serve on stdin and stdout until stdin ends. Only the protocol is written to stdout."""
    async with client:
        await server_build(client).run_stdio_async()


async def http_serve(client: QuarryClient, *, address: str, key: str, host_names: Sequence[str]) -> None:
    """Serve streamable HTTP at /mcp until interrupted.

    address: as `address_parsed` takes it. key: the bearer token that every request must send. host_names: names besides
    the address itself that requests may be sent to; any other Host or Origin is refused, which stops DNS rebinding.
    Raises: Invalid, for an address that cannot be served.
    """
    host, port = address_parsed(address)
    names = [*_LOOPBACK, f"[{host}]" if ":" in host else host, *host_names]
    with _bound(host, port) as listener:
        async with client:
            application = server_build(client).streamable_http_app(
                streamable_http_path=HTTP_PATH, host=host, transport_security=_security(names)
            )
            config = uvicorn.Config(BearerOnly(application, key=key), log_config=None, ws="none", server_header=False)
            log.info("mcp_serving", extra={"host": host, "port": listener.getsockname()[1], "path": HTTP_PATH})
            await uvicorn.Server(config).serve(sockets=[listener])


def address_parsed(address: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`, `[::1]:PORT`, `:PORT` or `PORT`; no host: this machine only.

    Raises: Invalid.
    """
    host, _, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    has_good_host = ":" not in host or host == f"[{bare}]"
    if not (has_good_host and port.isascii() and port.isdecimal() and int(port) < 2**16):
        raise Invalid(f"{address!r} is not an address to serve on; give HOST:PORT, such as {DEFAULT_HOST}:8765.")
    return bare or DEFAULT_HOST, int(port)


class BearerOnly:
    """Lets requests with the key through, and answers all others with 401."""

    def __init__(self, application: ASGIApp, *, key: str) -> None:
        self._application = application
        self._wanted = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on."""
        if scope["type"] == "lifespan" or secrets.compare_digest(_authorization(scope), self._wanted):
            await self._application(scope, receive, send)
            return
        body = json.dumps(_REFUSED).encode()
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"www-authenticate", b"Bearer"),
        ]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _authorization(scope: Scope) -> bytes:
    given: bytes = dict(scope["headers"]).get(b"authorization", b"")
    scheme, _, key = given.partition(b" ")
    return b"Bearer " + key.strip() if scheme.lower() == b"bearer" else b""


def _security(host_names: Sequence[str]) -> TransportSecuritySettings:
    hosts = [name for host in host_names for name in (host, f"{host}:*")]
    origins = [f"{scheme}://{name}" for name in hosts for scheme in ("http", "https")]
    return TransportSecuritySettings(enable_dns_rebinding_protection=True, allowed_hosts=hosts, allowed_origins=origins)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        detail = f"{host}:{port} cannot be served ({error.strerror or error}); choose another address with --http."
        raise Invalid(detail, code="port_busy") from error
