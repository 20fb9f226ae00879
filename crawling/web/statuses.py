"""What an HTTP status means for a crawl."""

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

from crawling.errors import BadReply, ClientStatus, Gone, ServerStatus, Throttled

NOT_MODIFIED = 304
PARTIAL_CONTENT = 206  # never requested, and never a whole body
MAX_RETRY_AFTER_SECONDS = 3600.0


def raise_for_status(url: str, status: int, headers: Mapping[str, str]) -> NoReturn:
    """Raise the error that `status`, not 2xx and not a usable redirect, stands for.

    headers: names in lower case. Raises: Gone, Throttled, ClientStatus, ServerStatus, BadReply.
    """
    if status in (404, 410):
        raise Gone(f"The page does not exist (status {status}).", status=status)
    if status in (429, 503):
        pause = retry_after_seconds(headers.get("retry-after"), now=datetime.now(UTC))
        asked = f" and a pause of {pause:g} s" if pause is not None else ""
        raise Throttled(
            f"The server asked for fewer requests{asked} (status {status}).",
            status=status,
            retry_after_seconds=pause,
        )
    if 400 <= status < 500:
        raise ClientStatus(f"The server refused the request (status {status}).", status=status)
    if 500 <= status < 600:
        raise ServerStatus(f"The server failed (status {status}).", status=status)
    raise BadReply(
        f"The server answered {url[:200]} with status {status}, which is neither a page nor a redirect.", status=status
    )


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Return the pause that a Retry-After header asks for, seconds or date, 0 to MAX_RETRY_AFTER_SECONDS.

    None when there is no such header or it makes no sense. `now` must be aware.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:12])
    else:
        try:
            moment = email.utils.parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
