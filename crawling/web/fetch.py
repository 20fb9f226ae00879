"""One GET over aiohttp, which ends with a complete reply or a typed error.

Redirects are not followed: the target is returned, so that scope, robots, guard and dedupe look at it again.
The body is decompressed here and not by aiohttp, which does not notice a gzip stream that ends too early.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from crawling.errors import (
    BadReply,
    BadUrl,
    ConnectionFailed,
    TooLarge,
    WrongContentType,
)
from crawling.web.client_errors import typed_errors
from crawling.web.fetch_limits import Limits
from crawling.web.guard import AddressGuard
from crawling.web.inflate import ENCODINGS, InflateError, Inflater
from crawling.web.statuses import NOT_MODIFIED, PARTIAL_CONTENT, raise_for_status

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
TEXT_TYPES = frozenset({"text/plain", "text/markdown", "text/x-markdown"})
#: What `crawling.pages.content` can read; pass other types, or None for any, to fetch something else.
PAGE_TYPES = HTML_TYPES | TEXT_TYPES
SITEMAP_TYPES = frozenset({
    "application/atom+xml", "application/gzip", "application/octet-stream", "application/rss+xml",
    "application/x-gzip", "application/xml", "text/html", "text/plain", "text/xml",
})  # fmt: skip

_DRAIN_BYTES = 64 * 1024
_DRAIN_SECONDS = 1.0
_PRINTABLE_ASCII = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A reply as it came: a page (2xx), a redirect (`location`), or “not modified”.

    url: as asked for. body: complete and decompressed, empty for redirects and `not_modified`. headers: names
    in lower case, repeated ones joined by ", ". content_type: the bare media type in lower case, empty when not
    sent. charset: as declared in Content-Type. etag, last_modified: None if not sent or too long to keep. location: the
    redirect's target, absolute, not yet canonical. seconds: from the request to the last byte. remote_address:
    the IP address connected to.
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    content_type: str = ""
    charset: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    location: str | None = None
    seconds: float = 0.0
    remote_address: str | None = None
    not_modified: bool = False


class _Response(aiohttp.ClientResponse):
    """Remembers the address it came from: the connection of a short reply is released before anyone can ask."""

    remote_address: str | None = None

    async def start(self, connection: "aiohttp.connector.Connection") -> aiohttp.ClientResponse:
        peer = connection.transport.get_extra_info("peername") if connection.transport else None
        self.remote_address = str(peer[0]) if peer else None
        return await super().start(connection)


def open_session(
    guard: AddressGuard,
    *,
    user_agent: str,
    limits: Limits | None = None,
    resolver: AbstractResolver | None = None,
) -> aiohttp.ClientSession:
    """Return a session that reaches only what `guard` lets through; close it with `async with` or `close()`.

    Keeps no cookies and uses no proxy or credentials from the environment. How many requests run at once is for
    the caller to decide.
    """
    connector = aiohttp.TCPConnector(limit=0, socket_factory=guard.socket_factory, resolver=resolver, ttl_dns_cache=30)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        response_class=_Response,
        timeout=_timeout(limits or Limits()),
        headers={"User-Agent": user_agent, "Accept-Encoding": "gzip, deflate", "Accept-Language": "*"},
    )


async def fetch(
    session: aiohttp.ClientSession,
    url: str,
    *,
    etag: str | None = None,
    last_modified: str | None = None,
    accept_types: Collection[str] | None = PAGE_TYPES,
    limits: Limits | None = None,
) -> Fetched:
    """GET `url` and return the whole reply, never a truncated one; redirects are returned, not followed.

    etag, last_modified: of the copy at hand; the reply may then be `not_modified`. accept_types: media types
    worth reading, None for any; a reply that names no type is read. limits: of this fetch, else the defaults.
    Raises: FetchError, one subclass per reason. Cancelling closes the connection at once.
    """
    limits = limits or Limits()
    if not _PRINTABLE_ASCII.fullmatch(url):
        raise BadUrl("The address is not in its canonical form; pass it through canonical_url first.")
    started = time.monotonic()
    headers = {"Accept": ", ".join(sorted(accept_types)) + ", */*;q=0.1" if accept_types else "*/*"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    with typed_errors(URL(url, encoded=True).host or url, limits):
        request = session.get(URL(url, encoded=True), headers=headers, allow_redirects=False, timeout=_timeout(limits))
        async with request as response:
            return await _reply(response, url, started, accept_types, limits, is_conditional=len(headers) > 1)


async def _reply(
    response: aiohttp.ClientResponse,
    url: str,
    started: float,
    accept_types: Collection[str] | None,
    limits: Limits,
    *,
    is_conditional: bool,
) -> Fetched:
    headers = _plain_headers(response)
    location = _location(url, response.status, headers)
    not_modified = response.status == NOT_MODIFIED and is_conditional
    content_type = headers.get("content-type", "").partition(";")[0].strip().lower()[:100]
    body = b""
    if location or not_modified or not 200 <= response.status < 300 or response.status == PARTIAL_CONTENT:
        await _drain(response)
        if not (location or not_modified):
            raise_for_status(url, response.status, headers)
    else:
        if content_type and accept_types is not None and content_type not in accept_types:
            raise WrongContentType(f"The reply is of type {content_type}, which the crawler does not read.")
        body = await _body(response, headers, limits)
    return Fetched(
        url=url,
        status=response.status,
        headers=headers,
        body=body,
        content_type=content_type,
        charset=_short(response.charset, 40),
        etag=_short(headers.get("etag"), 300),
        last_modified=_short(headers.get("last-modified"), 100),
        location=location,
        seconds=time.monotonic() - started,
        remote_address=getattr(response, "remote_address", None),
        not_modified=not_modified,
    )


async def _body(response: aiohttp.ClientResponse, headers: Mapping[str, str], limits: Limits) -> bytes:
    """Return the decompressed body, stopping while it streams in as soon as it is too large."""
    inflater = _inflater(headers, limits)
    if (response.content_length or 0) > limits.max_bytes:
        raise TooLarge(max_bytes=limits.max_bytes)
    body = bytearray()
    try:
        async for piece in response.content.iter_any():
            body += inflater.feed(piece) if inflater else piece
            if len(body) > limits.max_bytes:
                raise TooLarge(max_bytes=limits.max_bytes)
        if inflater:
            inflater.close()
    except InflateError as error:
        raise ConnectionFailed(f"The body cannot be decompressed: {error}.") from error
    return bytes(body)


def _inflater(headers: Mapping[str, str], limits: Limits) -> Inflater | None:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding not in ENCODINGS:
        raise WrongContentType(f"The reply is compressed as “{encoding[:50]}”, which was not requested.")
    return Inflater(encoding, max_bytes=limits.max_bytes)


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a short body that is of no use, so that its connection can serve the next request to the host."""
    if response.content_length is not None and response.content_length <= _DRAIN_BYTES:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # then the connection is closed instead
            async with asyncio.timeout(_DRAIN_SECONDS):
                await response.read()


def _plain_headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the headers by lower-case name, as text that any store accepts."""
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        name = name.lower()
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\x00", "")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _short(value: str | None, most: int) -> str | None:
    """Return `value` unless it is too long to keep; cut off, it would mean something else."""
    return value if value is not None and len(value) <= most else None


def _location(url: str, status: int, headers: Mapping[str, str]) -> str | None:
    target = headers.get("location", "").strip()
    if status not in (301, 302, 303, 307, 308) or not target:
        return None
    try:
        return urljoin(url, target)
    except ValueError as error:
        raise BadReply(f"The server redirects to an invalid address: {error}.") from error


def _timeout(limits: Limits) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=limits.total_seconds,
        connect=limits.connect_seconds,
        sock_connect=limits.connect_seconds,
        sock_read=limits.idle_seconds,
    )
