"""`/metrics`: jobs, items, outbox and audit as numbers in Prometheus' text format, behind a token of its own."""

import logging
import secrets

from django.conf import settings
from django.db import Error
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from extraction.audit.state import LastAudit, last_audit
from extraction.vectors.outbox import outbox_lag
from jobs.queries.gauges import gauges_read

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics if METRICS_TOKEN is sent as a bearer token; 404 if that setting is empty."""
    token = settings.QUARRY.metrics_token
    if not token:
        raise Http404("METRICS_TOKEN is not set")
    scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(sent.strip().encode(), token.encode()):
        headers = {"WWW-Authenticate": 'Bearer realm="metrics"'}
        return HttpResponse("Send METRICS_TOKEN as a bearer token.\n", "text/plain", 401, headers=headers)
    try:
        text = metrics_text()
    except Error:
        log.warning("metrics_unavailable", exc_info=True)
        return HttpResponse("The database does not answer; see /readyz.\n", "text/plain", 503)
    return HttpResponse(text, CONTENT_TYPE)


def metrics_text() -> str:
    """Return every metric with its help and type. Label values are words of ours, so none needs escaping."""
    found, lag = gauges_read(), outbox_lag()
    return "".join(
        [
            _gauge("quarry_jobs", "Jobs by status.", _labelled("status", found.jobs)),
            _gauge("quarry_items", "Items of unfinished jobs by state.", _labelled("state", found.items)),
            _gauge(
                "quarry_oldest_lease_seconds",
                "Seconds since the oldest expired lease of an item ran out; 0 if none has. Healing returns such items.",
                {"": found.oldest_lease_seconds},
            ),
            _gauge(
                "quarry_stuck_jobs", "Jobs that should have moved on but have not. Must be 0.", {"": found.stuck_jobs}
            ),
            _gauge("quarry_outbox_changes", "Changes not yet written to the vector store.", {"": lag.changes}),
            _gauge(
                "quarry_outbox_oldest_seconds",
                "Age in seconds of the oldest change not yet written to the vector store.",
                {"": lag.oldest_seconds},
            ),
            *_audit_gauges(last_audit()),
        ]
    )


def _audit_gauges(last: LastAudit | None) -> list[str]:
    """Return what the last complete audit found; metrics without a sample if there was none."""
    orphans: dict[str, float] = {}
    age: dict[str, float] = {}
    if last is not None:
        found = {"points_without_rows": last.points_without_rows, "rows_without_points": last.rows_without_points}
        orphans, age = _labelled("kind", found), {"": last.age_seconds}
    return [
        _gauge(
            "quarry_orphans",
            "Rows without points and points without rows in the last complete audit. Must be 0.",
            orphans,
        ),
        _gauge(
            "quarry_audit_age_seconds", "Seconds since the last complete audit ended; absent before the first.", age
        ),
    ]


def _labelled(label: str, numbers: dict[str, int]) -> dict[str, float]:
    return {f'{{{label}="{value}"}}': number for value, number in numbers.items()}


def _gauge(name: str, meaning: str, samples: dict[str, float]) -> str:
    """Return one metric. samples: labels as they are written → value."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    lines += [f"{name}{labels} {number:.10g}" for labels, number in samples.items()]
    return "\n".join(lines) + "\n"
