"""What is kept of audits, in one row of PostgreSQL: when the next is due, how far one has come, what was found last."""

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from extraction.models import AuditState
from extraction.states import AuditSide

FIRST_AFTER = timedelta(minutes=1)  # a start is busy enough


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit has come. side: what is gone through; after: the last id of it that was compared.

    seconds: of work, without the rests between batches.
    """

    side: AuditSide = AuditSide.PASSAGES
    after: UUID | None = None
    rows: int = 0
    points: int = 0
    rows_without_points: int = 0
    points_without_rows: int = 0
    fixed: int = 0
    seconds: float = 0.0

    @property
    def is_at_points(self) -> bool:
        """Whether rows are through and points are compared."""
        return self.side is AuditSide.POINTS

    @property
    def is_done(self) -> bool:
        """Whether everything is compared."""
        return self.side is AuditSide.DONE

    def side_ended(self) -> "Progress":
        """Return the progress at the beginning of the next side."""
        sides = list(AuditSide)
        return replace(self, side=sides[sides.index(self.side) + 1], after=None)

    def rows_seen(self, number: int, differing: int, *, after: UUID) -> "Progress":
        """Return the progress after a batch of rows."""
        found = self.rows_without_points + differing
        return replace(self, rows=self.rows + number, rows_without_points=found, after=after)

    def points_seen(self, number: int, differing: int, *, after: UUID) -> "Progress":
        """Return the progress after a batch of points."""
        found = self.points_without_rows + differing
        return replace(self, points=self.points + number, points_without_rows=found, after=after)


@dataclass(frozen=True, slots=True)
class Run:
    """A background audit under way. It is known by when it began, by the database's clock."""

    begun_at: datetime
    replica: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class LastAudit:
    """The last complete audit, and whether the latest attempt was complete.

    age_seconds: since it ended. rows_without_points, points_without_rows: what it left; fixed: what it queued to be
    put right. seconds: of work. interruption: why the latest attempt stopped half-way, or empty.
    """

    age_seconds: float
    rows: int
    points: int
    rows_without_points: int
    points_without_rows: int
    fixed: int
    seconds: float
    interruption: str

    @property
    def is_complete(self) -> bool:
        """Whether the latest attempt compared everything."""
        return not self.interruption


_LAST = """
    SELECT EXTRACT(EPOCH FROM GREATEST(clock_timestamp() - finished_at, interval '0'))::float8, rows, points,
           rows_without_points, points_without_rows, fixed, seconds, interruption
    FROM extraction_auditstate WHERE finished_at IS NOT NULL
"""
_DUE = "LEAST(due_at, finished_at + make_interval(hours => %(hours)s)) <= clock_timestamp()"
_WAKE = f"""
    UPDATE extraction_auditstate SET woken_at = clock_timestamp()
    WHERE {_DUE} AND (woken_at IS NULL OR woken_at < clock_timestamp() - make_interval(secs => %(again)s))
"""  # noqa: S608  constants only
_BEGIN = f"""
    UPDATE extraction_auditstate SET begun_at = clock_timestamp(), progress = %(progress)s::jsonb
    WHERE {_DUE} AND (begun_at IS NULL OR progress ->> 'replica' IS DISTINCT FROM %(replica)s)
"""  # noqa: S608  constants only


def last_audit() -> LastAudit | None:
    """Return the last complete audit, None if there never was one."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        found = cursor.fetchone()
    return LastAudit(*found) if found else None


def audit_finished(progress: Progress) -> None:
    """Keep what a whole audit found; a background audit under way is not needed any more."""
    _row_ensure()
    _the_row().update(**_result(progress))


def attempt_interrupted(detail: str) -> None:
    """Keep why the latest attempt did not compare everything; the last complete one stays."""
    _row_ensure()
    _the_row().update(interruption=detail[:300])


def wake_is_due(*, hours: int, again_seconds: float) -> bool:
    """Return whether an audit is due for which no wake-up was noted within `again_seconds`; if so, note one now."""
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, {"hours": hours, "again": again_seconds})
        is_due = bool(cursor.rowcount)
    if not is_due:
        _row_ensure()
    return is_due


def run_open(*, hours: int, replica: str) -> Run | None:
    """Return the background audit under way, or a new one if one is due; None if there is nothing to do.

    replica: names what the rows are compared with; what was compared with another one does not count.
    """
    with connection.cursor() as cursor:
        none_yet = json.dumps(_packed(replica, Progress()))
        cursor.execute(_BEGIN, {"hours": hours, "replica": replica, "progress": none_yet})
    row = _the_row().filter(begun_at__isnull=False, progress__replica=replica).first()
    if row is None or row.begun_at is None:
        return None
    return Run(row.begun_at, replica, _unpacked(row.progress))


def run_save(run: Run, progress: Progress) -> bool:
    """Keep how far the run has come; False when it is not needed any more."""
    kept = _packed(run.replica, progress)
    return bool(_the_row().filter(begun_at=run.begun_at).update(progress=kept, woken_at=Now()))


def run_finish(run: Run, progress: Progress) -> bool:
    """Keep what the run found; False when it was not needed any more."""
    return bool(_the_row().filter(begun_at=run.begun_at).update(**_result(progress)))


def host_opened() -> bool:
    """Note that a process begins to host workers; return whether the last one died, which makes an audit due."""
    _row_ensure()
    has_died = _the_row().filter(hosted_since__isnull=False).update(due_at=Now(), begun_at=None, progress={})
    _the_row().update(hosted_since=Now(), woken_at=None)  # what woke somebody was lost with the process
    return bool(has_died)


def host_closed() -> None:
    """Note that the process has stopped its workers cleanly."""
    _the_row().update(hosted_since=None)


def _the_row() -> QuerySet[AuditState]:
    return AuditState.objects.filter(pk=AuditState.THE_ONE)


def _row_ensure() -> None:
    AuditState.objects.bulk_create([AuditState(due_at=Now() + FIRST_AFTER)], ignore_conflicts=True)


def _packed(replica: str, progress: Progress) -> dict[str, Any]:
    after = None if progress.after is None else str(progress.after)
    return asdict(progress) | {"after": after, "replica": replica}


def _unpacked(kept: dict[str, Any]) -> Progress:
    after = UUID(kept["after"]) if kept["after"] else None
    counted = {name: value for name, value in kept.items() if name != "replica"}
    return Progress(**counted | {"after": after, "side": AuditSide(kept["side"])})


def _result(progress: Progress) -> dict[str, Any]:
    """Return the columns of a complete audit. What was queued to be put right is lag from now on, no fault."""
    counted = {name: getattr(progress, name) for name in ("rows", "points", "fixed", "seconds")}
    is_fixed = progress.fixed > 0
    return counted | {
        "rows_without_points": 0 if is_fixed else progress.rows_without_points,
        "points_without_rows": 0 if is_fixed else progress.points_without_rows,
        "finished_at": Now(),
        "due_at": None,
        "woken_at": None,
        "begun_at": None,
        "progress": {},
        "interruption": "",
    }
