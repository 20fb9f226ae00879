"""The REST API: the routers of all apps as one API. Each operation checks its own permission."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import URLPattern, URLResolver
from django.views import defaults
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from config.web import problems
from config.web.bounded_json import BoundedParser
from config.web.limits import WEB_THREADS
from crawling.api.routes import router as crawling_router
from extraction.api.routers import ROUTERS as PROJECT_ROUTERS
from jobs.api import waiting
from jobs.api.bulk import router as bulk_router
from jobs.api.cancel import router as cancel_router
from jobs.api.routes import router as jobs_router

DESCRIPTION = (
    "Projects, crawls, extractions and search. Every call needs an API key in the X-API-Key header and runs with"
    " the permissions of the key's user. Errors are RFC 9457 problems; their detail says what to do next."
    " Requests that create something accept an Idempotency-Key, so that they can be repeated safely."
)


class QuarryAPI(NinjaAPI):
    """Ninja's API, whose document gives the media type of errors and is made only once: that takes a second."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._documents: dict[str, OpenAPISchema] = {}

    def get_openapi_schema(self, *, path_prefix: str | None = None, path_params: Any = None) -> OpenAPISchema:
        """Return the OpenAPI document, the same for every request."""
        prefix = self.get_root_path({}) if path_prefix is None else path_prefix
        if prefix not in self._documents:
            document = super().get_openapi_schema(path_prefix=prefix)
            for operations in document["paths"].values():
                for operation in operations.values():
                    _media_types_set(operation["responses"])
            self._documents[prefix] = document
        return self._documents[prefix]


def _media_types_set(responses: dict[Any, dict[str, Any]]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if int(status) >= 400 and "application/json" in content:
            content[problems.CONTENT_TYPE] = content.pop("application/json")


#: Ninja's page of documentation loads scripts from elsewhere, which the content security policy refuses.
api = QuarryAPI(
    title="Quarry", version="1", urls_namespace="api", description=DESCRIPTION, docs_url=None, parser=BoundedParser()
)
problems.handlers_add(api)
waiting.places.number = WEB_THREADS // 2
api.add_router("", crawling_router)
api.add_router("/jobs", bulk_router)  # before the others, where `bulk` would be an id
api.add_router("/jobs", jobs_router)
api.add_router("/jobs", cancel_router)
for router in PROJECT_ROUTERS:
    api.add_router("/projects", router)


def api_urls() -> tuple[list[URLPattern | URLResolver], str, str]:
    """Return the API's URLs; what the framework itself refuses is answered as a problem, too."""
    patterns, application, namespace = api.urls
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            pattern.callback = _as_problem(pattern.callback)
    return patterns, application, namespace


def _as_problem(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view, updated=())
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            return problems.not_found(request)
        if isinstance(response, HttpResponseNotAllowed):
            return problems.not_allowed(request, response.headers["Allow"])
        return response

    answered.csrf_exempt = True  # type: ignore[attr-defined]  # keys, not cookies, let requests in
    return answered


def no_such_path(request: HttpRequest) -> HttpResponse:
    """Return the answer for any other path below /api."""
    return problems.not_found(request)


no_such_path.csrf_exempt = True  # type: ignore[attr-defined]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Return the answer for what Django refuses before any view, such as a host name it does not know."""
    if not request.path.startswith("/api/"):
        return defaults.bad_request(request, exception)
    detail = "The request was refused; check its Host header against ALLOWED_HOSTS, and see the server's log."
    return problems.problem(400, code="bad_request", detail=detail)
