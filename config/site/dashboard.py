"""The numbers of the first page. Every query is bounded, however big the tables have grown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, QuerySet
from django.db.models.functions import TruncMinute
from django.utils import timezone
from django.utils.timesince import timesince

from extraction.audit.state import LastAudit, last_audit
from extraction.models import VectorChange
from jobs.models import Job, WorkItem
from jobs.queries import tallies
from jobs.staff import cells
from jobs.states import ACTIVE_JOB, FINISHED_JOB, ItemState, JobStatus

COUNTED_AT_MOST = 100_000  # rows of the outbox; beyond, "100,000+" says enough
JOBS_READ = 200  # of the last day, newest first
ACTIVE_READ = 50
ROWS_SHOWN = 7
CHART_MINUTES = 60
CHART_ITEMS = 200_000  # jobs with more items than this are left out of the chart
CHART_WIDTH, CHART_HEIGHT = 720, 160
STATUS_ORDER = (
    JobStatus.RUNNING,
    JobStatus.QUEUED,
    JobStatus.PAUSED,
    JobStatus.CANCELLING,
    JobStatus.COMPLETED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
    JobStatus.DELETING,
)
LIGHT = ("pk", "label", "kind", "status", "created_at", "started_at", "completed_at")


@dataclass(frozen=True, slots=True)
class Tile:
    """One big number, with what explains it."""

    words: str
    number: str
    hint: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Items settled per minute as two polylines in a drawing of CHART_WIDTH × CHART_HEIGHT units."""

    done: str
    failed: str
    top: int
    first: str
    last: str
    total: int
    lines: tuple[tuple[int, int], ...]  #: (y, value)


def read() -> dict[str, Any]:
    """Return everything the dashboard shows."""
    by_status = dict(Job.objects.order_by().values_list("status").annotate(number=Count("*")))
    active = list(_light(Job.objects.filter(status__in=[s.value for s in ACTIVE_JOB]))[:ACTIVE_READ])
    day_ago = timezone.now() - timedelta(days=1)
    finished = Job.objects.filter(status__in=[s.value for s in FINISHED_JOB], completed_at__gte=day_ago)
    recent_finished = list(_light(finished).order_by("-created_at")[:JOBS_READ])
    counts = tallies.items_shown([*active, *recent_finished])
    recent = list(_light(Job.objects.order_by("-created_at"))[:ROWS_SHOWN])
    counts |= tallies.items_shown([job for job in recent if job.pk not in counts])
    failing = [job for job in [*active, *recent_finished] if counts.get(job.pk, {}).get(ItemState.FAILED.value)]
    failing.sort(key=lambda job: job.completed_at or job.created_at, reverse=True)
    return {
        "tiles": _tiles(by_status, active, counts, failing),
        "audit": audit_line(last_audit()),
        "statuses": [(s.value, by_status[s.value]) for s in STATUS_ORDER if by_status.get(s.value)],
        "status_bar": _status_bar(by_status),
        "chart": _chart([*active, *recent_finished], counts),
        "recent": [_line(job, counts) for job in recent],
        "failing": [_line(job, counts) for job in failing[:ROWS_SHOWN]],
    }


def _light(jobs: QuerySet[Job]) -> QuerySet[Job]:
    return jobs.only(*LIGHT)


def _line(job: Job, counts: dict[Any, dict[str, int]]) -> dict[str, Any]:
    found = counts.get(job.pk, {})
    return {
        "job": job,
        "progress": cells.progress(found),
        "failed": found.get(ItemState.FAILED.value, 0),
        "badge": cells.badge(job.status),
        "duration": cells.duration(job.started_at, job.completed_at),
    }


def _tiles(
    by_status: dict[str, int], active: list[Job], counts: dict[Any, dict[str, int]], failing: list[Job]
) -> list[Tile]:
    pending = sum(counts.get(job.pk, {}).get(ItemState.PENDING.value, 0) for job in active)
    in_flight = sum(counts.get(job.pk, {}).get(ItemState.CLAIMED.value, 0) for job in active)
    failed = sum(counts[job.pk][ItemState.FAILED.value] for job in failing)
    queued = by_status.get(JobStatus.QUEUED.value, 0)
    waiting = VectorChange.objects.order_by().values("pk")[: COUNTED_AT_MOST + 1].count()
    return [
        Tile("Running jobs", f"{by_status.get(JobStatus.RUNNING.value, 0):,}", f"{queued:,} queued"),
        Tile("Items pending", f"{pending:,}", f"{in_flight:,} in flight"),
        Tile("Failed items, 24 h", f"{failed:,}", f"in {len(failing):,} job{'' if len(failing) == 1 else 's'}"),
        Tile("Vectors to write", _capped(waiting), "up to date" if not waiting else "the replica is catching up"),
    ]


def _capped(number: int) -> str:
    return f"{COUNTED_AT_MOST:,}+" if number > COUNTED_AT_MOST else f"{number:,}"


def audit_line(last: LastAudit | None) -> str:
    """Return in a sentence or two what the last comparison of rows and vectors found."""
    if last is None:
        return "Rows and vectors have not been compared yet."
    now = timezone.now()
    ago = timesince(now - timedelta(seconds=last.age_seconds), now, depth=1)
    line = f"Rows and vectors were compared {ago} ago: {last.rows:,} rows and {last.points:,} points"
    without_points, without_rows = last.rows_without_points, last.points_without_rows
    if without_points or without_rows:
        repair = "Run" if settings.QUARRY.qdrant_url else "Stop Quarry and run"
        line += f", {without_points:,} rows without points, {without_rows:,} points without rows."
        line += f" {repair} manage.py audit --fix."
    else:
        line += f", {last.fixed:,} differences queued for repair." if last.fixed else ", all in sync."
    return line if last.is_complete else f"{line} The latest attempt stopped: {last.interruption}"


def _status_bar(by_status: dict[str, int]) -> list[tuple[str, str, str]]:
    """Return (status, start, width) of each part, in units of admin_cells.BAR_UNITS."""
    total, position, parts = sum(by_status.values()), 0.0, []
    for status in STATUS_ORDER:
        width = cells.BAR_UNITS * by_status.get(status.value, 0) / total if total else 0.0
        if width:
            parts.append((status.value, f"{position:.1f}", f"{width:.1f}"))
        position += width
    return parts


def _chart(jobs: list[Job], counts: dict[Any, dict[str, int]]) -> Chart | None:
    """Return what was settled in the last hour; None when nothing was, or the jobs are too big to look through."""
    end = timezone.now().replace(second=0, microsecond=0)
    start = end - timedelta(minutes=CHART_MINUTES - 1)
    chosen, items = [], 0
    for job in jobs:
        if job.completed_at is None or job.completed_at >= start:
            items += sum(counts.get(job.pk, {}).values())
            chosen.append(job.pk)
    if not chosen or items > CHART_ITEMS:
        return None
    rows = WorkItem.objects.filter(job_id__any=chosen, finished_at__gte=start).order_by()
    settled = [ItemState.DONE.value, ItemState.FAILED.value]
    grouped = rows.filter(state__in=settled).annotate(minute=TruncMinute("finished_at")).values_list("minute", "state")
    numbers: dict[str, dict[datetime, int]] = {state: {} for state in settled}
    for minute, state, number in grouped.annotate(number=Count("*")):
        numbers[state][minute] = number
    minutes = [start + timedelta(minutes=n) for n in range(CHART_MINUTES)]
    done, failed = ([numbers[state].get(minute, 0) for minute in minutes] for state in settled)
    total = sum(done) + sum(failed)
    return _drawn(done, failed, minutes) if total else None


def _drawn(done: list[int], failed: list[int], minutes: list[datetime]) -> Chart:
    top = _round_up(max(*done, *failed))
    local = timezone.get_current_timezone()
    return Chart(
        done=_points(done, top),
        failed=_points(failed, top),
        top=top,
        first=f"{minutes[0].astimezone(local):%H:%M}",
        last=f"{minutes[-1].astimezone(local):%H:%M}",
        total=sum(done) + sum(failed),
        lines=tuple((round(CHART_HEIGHT * part / 4), top - top * part // 4) for part in range(5)),
    )


def _points(values: list[int], top: int) -> str:
    step = CHART_WIDTH / (len(values) - 1)
    return " ".join(f"{n * step:.1f},{CHART_HEIGHT - CHART_HEIGHT * v / top:.1f}" for n, v in enumerate(values))


def _round_up(number: int) -> int:
    """Return the next number that is easy to read on an axis with four steps: 4, 8, 20, 40, 80, 200, …"""
    scale = 1
    while True:
        for step in (4, 8, 20):
            if number <= step * scale:
                return step * scale
        scale *= 10
