"""`/metrics`: how the house stands, in the text format of Prometheus, behind a token of its own."""

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
    """Answer with the numbers for whoever sends METRICS_TOKEN as a bearer; without such a setting there is no page."""
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
                "Seconds since the first lease of an item to expire did so; 0 if none has. Healing returns them.",
                {"": found.oldest_lease_seconds},
            ),
            _gauge(
                "quarry_stuck_jobs", "Jobs that should have moved on by themselves. Must be 0.", {"": found.stuck_jobs}
            ),
            _gauge("quarry_outbox_changes", "Changes that the vector store has yet to take in.", {"": lag.changes}),
            _gauge("quarry_outbox_oldest_seconds", "Age in seconds of the oldest of them.", {"": lag.oldest_seconds}),
            *_audit_gauges(last_audit()),
        ]
    )


def _audit_gauges(last: LastAudit | None) -> list[str]:
    """Return what the last complete audit found; metrics without a sample when there never was one."""
    orphans: dict[str, float] = {}
    age: dict[str, float] = {}
    if last is not None:
        found = {"points_without_rows": last.points_without_rows, "rows_without_points": last.rows_without_points}
        orphans, age = _labelled("kind", found), {"": last.age_seconds}
    return [
        _gauge("quarry_orphans", "What the last complete audit found on one side only. Must be 0.", orphans),
        _gauge("quarry_audit_age_seconds", "Seconds since that audit ended; no sample before the first.", age),
    ]


def _labelled(label: str, numbers: dict[str, int]) -> dict[str, float]:
    return {f'{{{label}="{value}"}}': number for value, number in numbers.items()}


def _gauge(name: str, meaning: str, samples: dict[str, float]) -> str:
    """Return one metric. samples: labels as they are written → value."""
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    lines += [f"{name}{labels} {number:.10g}" for labels, number in samples.items()]
    return "\n".join(lines) + "\n"
