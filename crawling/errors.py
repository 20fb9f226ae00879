"""Why a page could not be had, one class per decision the crawler makes.

`reason` is the word stored on the item and counted; `retryable` sits on the class, the retry policy in the
ledger.
"""

from typing import ClassVar

from jobs.errors import Invalid, QuarryError


class FetchError(QuarryError):
    """The page could not be had."""

    code = "internal"
    retryable: ClassVar[bool] = False

    @property
    def reason(self) -> str:
        """Return the word of the closed list in `jobs.states.Reason` under which this failure is counted."""
        return self.code


class BadUrl(FetchError, ValueError):
    """This is not an address of a web page."""

    code = "parse"


class TimedOut(FetchError):
    """The server took too long."""

    code = "timeout"
    retryable = True


class DnsFailed(FetchError):
    """The host name has no address."""

    code = "dns"
    retryable = True


class ConnectionFailed(FetchError):
    """The connection was refused or broke before the reply was complete."""

    code = "connection"
    retryable = True


class BadReply(FetchError):
    """What came back is not a valid HTTP reply to the request."""

    code = "connection"


class TlsFailed(FetchError):
    """The server's certificate or TLS settings cannot be trusted."""

    code = "tls"


class TooLarge(FetchError):
    """The body exceeds the limit."""

    code = "too_large"


class WrongContentType(FetchError):
    """The reply is of a type that is not read."""

    code = "content_type"


class BlockedAddress(FetchError, OSError):
    """The address lies in a network that must not be reached.

    It is an OSError because it is raised inside the connector, which passes on nothing else.
    """

    code = "blocked_address"


class RedirectLoop(FetchError):
    """The redirects lead in a circle or never end."""

    code = "redirect_loop"


class Unreadable(FetchError):
    """The page cannot be parsed within bounds."""

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
    retryable = True


class Throttled(BadStatus):
    """The server asks for fewer requests (429 or 503).

    retry_after_seconds: how long it asks to wait, None when it does not say.
    """

    retryable = True

    def __init__(self, detail: str, *, status: int, retry_after_seconds: float | None) -> None:
        super().__init__(detail, status=status)
        self.retry_after_seconds = retry_after_seconds
        self.code = "http_4xx" if status < 500 else "http_5xx"


class BadScope(Invalid):
    """The scope of a crawl is not usable."""

    code = "bad_scope"
