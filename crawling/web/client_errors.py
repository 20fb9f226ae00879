"""The many exceptions of the HTTP client library, turned into the few of `crawling.errors`."""

import contextlib
import socket
from collections.abc import Iterator

import aiohttp

from crawling.errors import (
    BadReply,
    BadUrl,
    BlockedAddress,
    ConnectionFailed,
    DnsFailed,
    FetchError,
    TimedOut,
    TlsFailed,
)
from crawling.web.fetch_limits import Limits
from crawling.web.guard import REMEDY


@contextlib.contextmanager
def typed_errors(host: str, limits: Limits) -> Iterator[None]:
    """Raise a FetchError in place of whatever the client library raises while asking `host`."""
    try:
        yield
    except FetchError:
        raise
    except aiohttp.ConnectionTimeoutError as error:
        raise TimedOut(f"{host} did not accept a connection within {limits.connect_seconds:g} s.") from error
    except aiohttp.SocketTimeoutError as error:
        raise TimedOut(f"{host} sent nothing for {limits.idle_seconds:g} s.") from error
    except TimeoutError as error:
        raise TimedOut(f"{host} did not complete its reply within {limits.total_seconds:g} s.") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise DnsFailed(f"No address was found for {host}: {_cause(error.os_error)}.") from error
    except (aiohttp.ClientSSLError, aiohttp.ClientConnectorCertificateError) as error:
        raise TlsFailed(f"The TLS certificate or settings of {host} were not accepted: {_cause(error)}.") from error
    except aiohttp.ClientConnectorError as error:
        raise _connect_error(host, error) from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise BadUrl(f"The address cannot be requested: {error}.") from error
    except aiohttp.ClientResponseError as error:
        raise BadReply(f"{host} did not answer with valid HTTP: {error.message}.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise ConnectionFailed(f"The connection to {host} broke: {_cause(error)}.") from error


def _connect_error(host: str, error: aiohttp.ClientConnectorError) -> FetchError:
    if isinstance(error.os_error, BlockedAddress):
        return error.os_error
    # With several addresses the connector joins all failures into one text.
    if REMEDY in str(error.os_error):
        return BlockedAddress(f"{host} is in a private or reserved network. If that is intended, {REMEDY}.")
    return ConnectionFailed(f"No connection to {host} could be made: {_cause(error.os_error)}.")


def _cause(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return str(error.strerror or error)
    return (str(error) or type(error).__name__).rstrip(".")
