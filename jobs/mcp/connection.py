"""Where the `mcp` command finds its server: the environment, else the `up` that runs on this machine."""

from typing import Final

from django.conf import settings

from jobs.api.local_server import local_server
from jobs.mcp.client import Connection
from jobs.mcp.replies import APIError

DEFAULT_URL: Final = "http://127.0.0.1:8000"


def connection_find() -> Connection:
    """Return the address and key in QUARRY_URL and QUARRY_API_KEY, or those of the running `up`. Raises: APIError.

    The private key of `up` is sent to no other server.
    """
    url, key = settings.QUARRY.quarry_url, settings.QUARRY.quarry_api_key
    if url == DEFAULT_URL and (server := local_server()) is not None:
        url, key = server.url, key or server.key
    if not key:
        detail = (
            f"There is no key for {url}: start `manage.py up` on this machine, or set QUARRY_URL and QUARRY_API_KEY;"
            " `manage.py apikey USER` prints a new key."
        )
        raise APIError(detail, None, "no_api_key")
    if not (key.isascii() and key.isprintable()):
        raise APIError("QUARRY_API_KEY contains characters that no key has; copy the key again.", None, "no_api_key")
    return Connection(url, key)
