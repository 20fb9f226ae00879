"""A thin client of Quarry's REST API. Every failure is an `APIError`; only what is safe to repeat is sent twice."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import quote
from uuid import uuid4

import httpx

from jobs.mcp.replies import APIError, reply_read

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 90.0  #: longer than the server ever lets a request wait
RETRY_WAITS_SECONDS = (0.25, 1.0)  #: before the second and the third attempt

#: Requests to this machine carry its private key, so they never go through a proxy set in the environment.
_NEVER_PROXIED = ("all://127.0.0.1", "all://localhost", "all://[::1]")


class Connection(NamedTuple):
    """The server's address and the key to use."""

    url: str
    key: str


class QuarryClient:
    """A client of the REST API. Use it as an asynchronous context manager, which closes its connections.

    locate: called before every attempt, because a local server may come back at another address with another key;
    may raise APIError. answer_seconds: from sending a request to the last byte of its reply.
    """

    def __init__(
        self,
        locate: Callable[[], Connection],
        *,
        answer_seconds: float = ANSWER_SECONDS,
        retry_waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS,
    ) -> None:
        """Send nothing before the first call."""
        self._locate = locate
        self._answer_seconds = answer_seconds
        self._retry_waits_seconds = tuple(retry_waits_seconds)
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
            follow_redirects=False,
            mounts=dict.fromkeys(_NEVER_PROXIED),
        )

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, path: str, **query: Any) -> Any:
        """Return the reply to a GET. path: below /api/v1. query: None is left out. Raises: APIError."""
        return await self._request("GET", path, query=query, is_repeatable=True)

    async def create(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the reply to a POST that creates something; its Idempotency-Key makes it safe to repeat.

        body: None is left out. Raises: APIError.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        return await self._request("POST", path, body=body, headers=headers, is_repeatable=True)

    async def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        wait_seconds: int | None = None,
        **query: Any,
    ) -> Any:
        """Return the reply to a POST that is sent once. Raises: APIError.

        wait_seconds: how long the server may wait for the work to finish.
        """
        return await self._request("POST", path, query=query, body=body, headers=_prefer(wait_seconds))

    async def delete(self, path: str, *, wait_seconds: int | None = None, **query: Any) -> Any:
        """Return the reply to a DELETE that is sent once. wait_seconds: as for `post`. Raises: APIError."""
        return await self._request("DELETE", path, query=query, headers=_prefer(wait_seconds))

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool = False,
    ) -> Any:
        """Return the JSON of the reply; repeat a repeatable request after a temporary failure.

        Raises: APIError, with the server's own detail whenever it gave one.
        """
        waits = self._retry_waits_seconds if is_repeatable else ()
        for wait_seconds in (*waits, None):
            try:
                return await self._attempt(method, path, _given(query), _given(body), headers)
            except APIError as error:
                if wait_seconds is None or not error.is_passing:
                    raise
                await asyncio.sleep(wait_seconds)
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        body: dict[str, Any],
        headers: Mapping[str, str] | None,
    ) -> Any:
        connection = self._locate()
        server = f"The server at {_shown(connection.url)}"
        try:
            async with asyncio.timeout(self._answer_seconds):
                reply = await self._http.request(
                    method,
                    f"{connection.url.rstrip('/')}/api/v1{path}",
                    params=query,
                    json=body if method == "POST" else None,
                    headers={"X-API-Key": connection.key, "Accept": "application/json", **(headers or {})},
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise self._unanswered(error, server) from error
        return reply_read(reply, server=server)

    def _unanswered(self, error: Exception, server: str) -> APIError:
        """Return the error for a request without a complete answer."""
        match error:
            case httpx.ConnectTimeout():
                sentence = (
                    f"{server} could not be reached within {CONNECT_SECONDS:g} s; check QUARRY_URL and the network."
                )
                return APIError(sentence, None, "unreachable")
            case httpx.ConnectError():
                sentence = f"{server} cannot be reached ({error}); start it with `manage.py up`, or correct QUARRY_URL."
                return APIError(sentence, None, "unreachable", is_passing=True)
            case TimeoutError():
                sentence = (
                    f"{server} did not answer within {self._answer_seconds:g} s; the request may still be under way, so"
                    " look at the jobs before you repeat it."
                )
                return APIError(sentence, None, "timeout")
            case httpx.TransportError() if not isinstance(error, httpx.UnsupportedProtocol):
                sentence = (
                    f"{server} closed the connection before its answer was complete; look at the jobs, then try again."
                )
                return APIError(sentence, None, "connection_broken", is_passing=True)
        sentence = (
            f"{server} could not be called, or its answer could not be read ({type(error).__name__}); check QUARRY_URL."
        )
        return APIError(sentence, None, "unreadable")


def segment(text: str, *, name: str) -> str:
    """Return the text as exactly one part of a path, so that no id can lead to another path. Raises: APIError."""
    if not text.strip("."):
        raise APIError(f"{name} is empty; pass the id or name of what you mean.", 422, "invalid")
    return quote(text, safe="", errors="replace")


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def _prefer(wait_seconds: int | None) -> dict[str, str]:
    return {} if wait_seconds is None else {"Prefer": f"wait={wait_seconds}"}


def _shown(url: str) -> str:
    """Return the URL without a user name and password."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
