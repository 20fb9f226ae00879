"""Whether the process is alive, and whether everything it needs works. For probes: without a key, without secrets."""

import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

import dramatiq
from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from extraction.vectors import process_store
from jobs.errors import QuarryError
from jobs.messages.names import WORK_QUEUE
from jobs.worker import host

log = logging.getLogger(__name__)


class Down(Exception):
    """A component does not work; the message is a sentence for operators."""


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the process serves requests; nothing else is checked."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when every component works, else 503; each is listed with what to do about it."""
    components = {name: _looked_at(name, look) for name, look in COMPONENTS.items()}
    is_ready = all(component["status"] == "ok" for component in components.values())
    body = {"status": "ready" if is_ready else "unready", "components": components}
    return JsonResponse(body, status=200 if is_ready else 503)


def _looked_at(name: str, look: Callable[[], None]) -> dict[str, Any]:
    try:
        look()
    except Down as error:
        log.warning("component_down", extra={"component": name}, exc_info=error.__cause__)
        return {"status": "down", "detail": str(error)}
    return {"status": "ok", "detail": ""}


def database_look() -> None:
    """Return if PostgreSQL answers. Raises: Down."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        raise Down("The database does not answer; start it, or check DATABASE_URL.") from error


def vectors_look() -> None:
    """Return if the vector store answers. Raises: Down."""
    try:
        process_store.store().existing([UUID(int=0)])
    except QuarryError as error:
        raise Down(error.detail) from error


def workers_look() -> None:
    """Return if some process runs the workers or, with BROKER_URL, if the broker answers. Raises: Down."""
    if settings.QUARRY.broker_url:
        return _broker_look()
    try:
        hosted = host.is_hosted()
    except Error as error:
        raise Down("Unknown, since the database does not answer.") from error
    if not hosted:
        raise Down("No process is running the workers; start one with `manage.py up`.")
    return None


def _broker_look() -> None:
    broker: Any = dramatiq.get_broker()
    try:
        broker.get_queue_message_counts(WORK_QUEUE)
    except Exception as error:  # the broker's client has errors of its own, an optional package
        del broker.connection  # the next look opens another
        raise Down("The message broker does not answer; start it, or check BROKER_URL.") from error


COMPONENTS: dict[str, Callable[[], None]] = {
    "database": database_look,
    "vectors": vectors_look,
    "workers": workers_look,
}
