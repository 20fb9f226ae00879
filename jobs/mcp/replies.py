"""What a reply of the REST API means: its JSON, or an error that keeps the server's own sentence."""

import json
from http import HTTPStatus
from typing import Any

import httpx

JSON_TYPES = ("application/json", "application/problem+json")
#: A first attempt whose answer was lost is still running; the next attempt gets that answer.
STILL_CREATING = "idempotency_in_progress"


class APIError(Exception):
    """A failed call, with a sentence for the caller.

    message: the server's own detail whenever it gave one. status_code: that of HTTP, None when no answer came.
    code: the server's stable code, or one of ours. is_passing: whether the same call may succeed in a moment.
    """

    def __init__(self, message: str, status_code: int | None, code: str, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.code = code
        self.is_passing = is_passing


def reply_read(reply: httpx.Response, *, server: str) -> Any:
    """Return the JSON of a good reply, None for an empty one. server: its name in sentences.

    Raises: APIError.
    """
    if reply.is_success:
        return _json_of(reply, server) if reply.content else None
    raise _refusal(reply, server)


def _json_of(reply: httpx.Response, server: str) -> Any:
    media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type in JSON_TYPES:
        try:
            return json.loads(reply.content)
        except ValueError:
            media_type = "broken JSON"
    raise APIError(
        f"{server} answered {media_type or 'something without a media type'} instead of JSON, so it is probably"
        " not a Quarry server; check QUARRY_URL.",
        reply.status_code,
        "not_json",
    )


def _refusal(reply: httpx.Response, server: str) -> APIError:
    """Return the error that a reply describes."""
    status, problem = reply.status_code, _problem(reply)
    detail, code = problem.get("detail"), problem.get("code")
    if detail and not isinstance(detail, str):
        detail = json.dumps(detail, ensure_ascii=False)
    return APIError(
        detail or _own_sentence(reply, server),
        status,
        code if isinstance(code, str) and code else f"http_{status}",
        is_passing=status >= HTTPStatus.INTERNAL_SERVER_ERROR or code == STILL_CREATING,
    )


def _problem(reply: httpx.Response) -> dict[str, Any]:
    try:
        problem = json.loads(reply.content)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _own_sentence(reply: httpx.Response, server: str) -> str:
    """Return a sentence for a reply without a readable detail."""
    answered = f"{server} answered {reply.status_code} {reply.reason_phrase}".rstrip()
    if reply.is_redirect:
        target = reply.headers["Location"][:200]
        return f"{answered}, a redirect to {target}; set QUARRY_URL to the address of Quarry itself."
    if reply.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"{answered} and gave no reason; try again in a moment, and see the server's log."
    return f"{answered} and gave no reason, so it is probably not a Quarry server; check QUARRY_URL."
