"""The one place where an error becomes an HTTP answer: RFC 9457 `application/problem+json`.

The `detail` of an error of ours says what to do next and reaches the client as it was written.
"""

import inspect
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.serializers.json import DjangoJSONEncoder
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from config.web.validation_words import validation_sentence
from jobs.errors import Conflict, Forbidden, Invalid, NotFound, QuarryError, Unavailable

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

#: The nearest class of an error decides.
STATUS_OF: dict[type[Exception], int] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    Forbidden: 403,
    Unavailable: 503,
    QuarryError: 500,
}

#: Members that RFC 9457 gives another meaning; an error's own are renamed to these.
_RENAMED = {"status": "job_status", "type": "job_type", "title": "name", "detail": "cause", "code": "reason"}

_SIGN_IN = "Send a valid API key in the X-API-Key header; `manage.py apikey USER` creates one."
_DATABASE_DOWN = "The database does not answer; try again in a moment, and see /readyz."


def problem(
    status: int,
    *,
    code: str,
    detail: str,
    title: str = "",
    headers: dict[str, str] | None = None,
    context: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Return an answer of the given status; `context` becomes further members."""
    members = {
        "type": f"urn:quarry:problem:{code}",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    members |= {_RENAMED.get(name, name): value for name, value in (context or {}).items()}
    body = json.dumps(members, cls=DjangoJSONEncoder)
    return HttpResponse(body, status=status, content_type=CONTENT_TYPE, headers=headers)


def error_problem(error: QuarryError) -> HttpResponse:
    """Return the answer for one of our own errors."""
    status = next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", exc_info=error)
    title = (inspect.getdoc(type(error)) or "").partition("\n")[0].rstrip(".")
    return problem(status, code=error.code, detail=error.detail, title=title, context=error.context)


def not_found(request: HttpRequest) -> HttpResponse:
    """Return the answer for a path that leads nowhere."""
    hint = " Paths do not end with a slash." if request.path.endswith("/") else ""
    detail = f"There is nothing at {request.path[:200]}.{hint} /api/v1/openapi.json lists all paths."
    return problem(404, code="no_such_path", detail=detail)


def not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    """Return the answer for a method that the path does not know. allowed: as the Allow header names them."""
    detail = f"{request.method} is not supported at {request.path[:200]}; use {allowed}."
    return problem(405, code="method_not_allowed", detail=detail, headers={"Allow": allowed})


def handlers_add(api: NinjaAPI) -> None:
    """Make the API answer every error as a problem."""
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)


def _own(request: HttpRequest, error: Any) -> HttpResponse:
    return error_problem(error)


def _unauthenticated(request: HttpRequest, error: Any) -> HttpResponse:
    headers = {"WWW-Authenticate": 'ApiKey header="X-API-Key"'}
    return problem(401, code="unauthenticated", detail=_SIGN_IN, headers=headers)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    detail, code, errors = validation_sentence(error.errors)
    return problem(422, code=code, detail=detail, context={"errors": errors})


def _http(request: HttpRequest, error: Any) -> HttpResponse:
    """Answer what the framework raises; when our own parser is behind it, its sentence counts."""
    if isinstance(error.__cause__, QuarryError):
        return error_problem(error.__cause__)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem(error.status_code, code=code, detail=f"{error.message}; correct the request.")


def _missing(request: HttpRequest, error: Any) -> HttpResponse:
    return not_found(request)


def _suspicious(request: HttpRequest, error: Any) -> HttpResponse:
    log.warning("request_refused", extra={"path": request.path, "cause": type(error).__name__})
    return problem(400, code="bad_request", detail="The request cannot be read; correct it and send it again.")


def _too_large(request: HttpRequest, error: Any) -> HttpResponse:
    detail = "The request body is too large; send less at a time."
    return problem(413, code="too_large", detail=detail)


def _database(request: HttpRequest, error: Any) -> HttpResponse:
    log.error("database_unavailable", exc_info=error)
    return problem(503, code="database_unavailable", detail=_DATABASE_DOWN)


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    incident = str(uuid4())
    log.error("request_failed", exc_info=error, extra={"incident": incident, "path": request.path})
    detail = f"Something went wrong on the server; its log has the details under incident {incident}."
    return problem(500, code="internal", detail=detail, context={"incident": incident})


_HANDLERS: dict[type[Exception], Any] = {
    QuarryError: _own,
    AuthenticationError: _unauthenticated,
    ValidationError: _invalid,
    HttpError: _http,
    Http404: _missing,
    RequestDataTooBig: _too_large,
    SuspiciousOperation: _suspicious,
    OperationalError: _database,
    InterfaceError: _database,
    Exception: _unexpected,
}
