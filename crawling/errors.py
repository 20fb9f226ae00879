"""Why a page could not be fetched, one class per decision that the crawler makes.

`reason` is the word stored on the item and counted. Whether another attempt may help is `is_temporary`, an attribute
of the class; when that attempt is made is for the ledger to decide.
"""

from jobs.errors import Invalid, QuarryError


class FetchError(QuarryError):
    """The page could not be fetched."""

    code = "internal"

    @property
    def reason(self) -> str:
        """Return the word of `jobs.states.Reason` under which this failure is counted."""
        return self.code


class BadUrl(FetchError, ValueError):
    """This is not the address of a web page."""

    code = "parse"


class TimedOut(FetchError):
    """The server took too long."""

    code = "timeout"
    is_temporary = True


class DnsFailed(FetchError):
    """The host name has no address."""

    code = "dns"
    is_temporary = True


class ConnectionFailed(FetchError):
    """The connection was refused or broke before the reply was complete."""

    code = "connection"
    is_temporary = True


class BadReply(FetchError):
    """What came back is not a valid HTTP reply to the request."""

    code = "connection"


class TlsFailed(FetchError):
    """The server's certificate or TLS settings cannot be trusted."""

    code = "tls"


class TooLarge(FetchError):
    """The body is larger than is accepted, after decompression."""

    code = "too_large"

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(f"The body exceeds {max_bytes:,} bytes after decompression.")


class WrongContentType(FetchError):
    """The reply is of a type that the crawler does not read."""

    code = "content_type"


class BlockedAddress(FetchError, OSError):
    """The address is in a network that crawls must not enter.

    It is an OSError because it is raised inside the connector, which passes on nothing else.
    """

    code = "blocked_address"


class RedirectLoop(FetchError):
    """The redirects go in a circle or never end."""

    code = "redirect_loop"


class Unreadable(FetchError):
    """The page cannot be parsed within the limits on time and memory."""

    code = "parse"


class BadStatus(FetchError):
    """The server answered with an error status."""

    def __init__(self, detail: str, *, status: int) -> None:
        super().__init__(detail, status=status)
        self.status = status


class Gone(BadStatus):
    """The page does not exist (any more)."""

    code = "gone"


class ClientStatus(BadStatus):
    """The server refused the request (4xx)."""

    code = "http_4xx"


class ServerStatus(BadStatus):
    """The server failed (5xx)."""

    code = "http_5xx"
    is_temporary = True


class Throttled(BadStatus):
    """The server asks for fewer requests (429 or 503).

    retry_after_seconds: how long it asks to wait, None when it does not say.
    """

    is_temporary = True

    def __init__(self, detail: str, *, status: int, retry_after_seconds: float | None) -> None:
        super().__init__(detail, status=status)
        self.retry_after_seconds = retry_after_seconds
        self.code = "http_4xx" if status < 500 else "http_5xx"


class AskedToWait(QuarryError):
    """The host asked for a longer pause than a request is kept waiting for."""

    code = "asked_to_wait"
    is_temporary = True

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The host asked to wait for another {seconds:.0f} s.", seconds=seconds)
        self.seconds = seconds


class BadScope(Invalid):
    """The scope of a crawl is not usable."""

    code = "bad_scope"
