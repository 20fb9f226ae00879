"""Canonical URLs, so that a page has one spelling, and the host of a URL."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import SplitResult, unquote_plus, urljoin, urlsplit

from w3lib.url import canonicalize_url
from yarl import URL

from crawling.errors import BadUrl

MAX_URL_CHARACTERS = 2_000
#: Query parameters that only say where a visitor came from; a trailing `*` stands for any ending.
TRACKING_PARAMETERS = (
    "utm_*", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "yclid", "twclid",
    "igshid", "mc_cid", "mc_eid", "_hsenc", "_hsmi",
)  # fmt: skip

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NUMBER = r"(?:[0-9]+|0x[0-9a-f]*)"
_IS_IPV4 = re.compile(rf"(?:.*\.)?{_NUMBER}")
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
#: URLs that are canonical as they stand: most links of most pages, recognised without parsing them (30 µs
#: each).
_ALREADY_CANONICAL = re.compile(
    rf"https?://(?!(?:[^/]*\.)?{_NUMBER}/)(?={_LABEL}(?:\.{_LABEL})*/)[a-z0-9_.-]{{1,253}}"
    r"(?!\S*/\.{1,2}(?:/|$))/[A-Za-z0-9_.~/-]*"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_STRIPPED = "".join(map(chr, range(0x21)))  # what browsers strip around an address


def canonical_url(
    url: str,
    *,
    base: str | None = None,
    ignore_query: bool = False,
    drop_parameters: Iterable[str] = TRACKING_PARAMETERS,
) -> str:
    """Return the one spelling under which `url` is stored and compared; applying it twice changes nothing.

    Host in lower case and IDNA, no default port, no fragment, dot segments resolved, escapes normalised,
    the query sorted and without `drop_parameters` (names, or prefixes ending in `*`); `ignore_query` drops
    all of it. At most MAX_URL_CHARACTERS long. A relative `url` needs `base`. Raises: BadUrl.
    """
    text = url.strip(_STRIPPED)
    if base is not None:
        text = _joined(base, text)
    if len(text) <= MAX_URL_CHARACTERS and _ALREADY_CANONICAL.fullmatch(text):
        return text
    parts = _checked_parts(text)
    origin = f"{parts.scheme}://{_network_location(parts)}"
    raw = f"{origin}{parts.path or '/'}" + (f"?{parts.query}" if parts.query and not ignore_query else "")
    canonical = _stable(raw)
    address, _, query = canonical.partition("?")
    kept = [pair for pair in query.split("&") if pair and not _is_dropped(pair, tuple(drop_parameters))]
    result = f"{address}?{'&'.join(kept)}" if kept else address
    if len(result) > MAX_URL_CHARACTERS:
        raise BadUrl(f"The address has {len(result):,} characters; at most {MAX_URL_CHARACTERS:,} are accepted.")
    return result


def host_of(url: str) -> str:
    """Return `url`'s host, with its port unless that is the scheme's own: the key of lanes and politeness.

    Raises: BadUrl.
    """
    return _network_location(_checked_parts(url))


def _joined(base: str, text: str) -> str:
    try:
        return urljoin(base, text)
    except ValueError as error:
        raise BadUrl(f"“{_shown(text)}” cannot be resolved against {_shown(base)}: {error}.") from error


def _checked_parts(text: str) -> SplitResult:
    shown = _shown(text)
    if len(text) > 4 * MAX_URL_CHARACTERS:  # before anything that is not linear in the length
        raise BadUrl(f"The address has {len(text):,} characters; at most {MAX_URL_CHARACTERS:,} are accepted.")
    if _CONTROL.search(text):
        raise BadUrl(f"“{shown}” contains control characters; give the address on one line without them.")
    try:
        parts = urlsplit(text)
        user = parts.username
    except ValueError as error:
        raise BadUrl(f"“{shown}” is not a valid address: {error}.") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise BadUrl(f"“{shown}” is not a web address; it must start with http:// or https://.")
    if user is not None or "@" in parts.netloc:
        raise BadUrl("The address contains a user name or password; give it without them.")
    if not parts.hostname:
        raise BadUrl(f"“{shown}” has no host name; write it as https://host/path.")
    return parts


def _network_location(parts: SplitResult) -> str:
    try:
        port = parts.port
    except ValueError as error:
        raise BadUrl(f"“{_shown(parts.netloc)}” has an invalid port: {error}.") from error
    if port == 0:
        raise BadUrl(f"“{_shown(parts.netloc)}” has an invalid port: 0 cannot be connected to.")
    host = _canonical_host(parts.hostname or "")
    return host if port is None or port == _DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"


@lru_cache(maxsize=1024)
def _canonical_host(host: str) -> str:
    refusal = BadUrl(f"“{_shown(host)}” is not a valid host name.")
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host)}]" if "%" not in host else _refuse(refusal)
        except ValueError as error:
            raise refusal from error
    if not host.isascii():
        try:
            host = URL.build(scheme="http", host=host).raw_host or ""
        except ValueError as error:
            raise refusal from error
    host = host.lower().removesuffix(".")
    if _IS_IPV4.fullmatch(host):  # decimal, octal, hexadecimal and short forms, as browsers read them
        try:
            return socket.inet_ntoa(socket.inet_aton(host))
        except OSError as error:
            raise refusal from error
    if len(host) > 253 or not _HOST_NAME.fullmatch(host):
        raise refusal
    return host


def _refuse(refusal: BadUrl) -> str:
    raise refusal


def _stable(raw: str) -> str:
    """Return w3lib's canonical form, applied until it no longer changes."""
    try:
        # Bytes that were no UTF-8 arrive as lone surrogates (header values) and are escaped as the bytes
        # they were.
        source: str | bytes = raw if raw.isascii() else raw.encode("utf-8", "surrogateescape")
        for _ in range(4):
            canonical = str(canonicalize_url(source))
            if canonical == source:
                return canonical
            source = canonical
    except (ValueError, UnicodeError) as error:
        raise BadUrl(f"“{_shown(raw)}” is not a valid address: {error}.") from error
    raise BadUrl(f"“{_shown(raw)}” has no stable spelling; give the page's address without nested escapes.")


def _is_dropped(pair: str, drop_parameters: tuple[str, ...]) -> bool:
    name = unquote_plus(pair.partition("=")[0]).lower()
    return any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in drop_parameters
    )


def _shown(text: str) -> str:
    """Return the start of `text`, fit for a message whatever it contains."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text[:200])
