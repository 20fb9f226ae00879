"""The SQL by which a claimed change ends, fenced by its lease and its version.

First every change that nobody locks is ended in one transaction. The rest are taken one at a time, so that a
drainer never waits for a lock while it holds another: it cannot be part of a deadlock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection

from jobs.postgres.id_arrays import IdArray
from jobs.postgres.transactions import retried

LOCK_SECONDS = 2
LOCK_NOT_AVAILABLE = "55P03"

_FREE = "lease = NULL, lease_until = NULL"
_LATE = """late_write_until = GREATEST(late_write_until,
                                       clock_timestamp() + make_interval(secs => %(late)s::float8))"""
_DELAY = "clock_timestamp() + make_interval(secs => %(delay)s::float8)"


@dataclass(frozen=True, slots=True)
class Ending:
    """What is written of the held changes: `same` where the version still is the claimed one, else `newer`."""

    same: str
    newer: str = f"UPDATE extraction_vectorchange SET {_FREE}"  # noqa: S608  constants only


def _update(assignments: str) -> str:
    return f"UPDATE extraction_vectorchange SET {_FREE}, {assignments}"  # noqa: S608  constants only


REMOVE = Ending("DELETE FROM extraction_vectorchange")
REPEAT = Ending(_update("not_before = late_write_until, attempts = 0, last_error = ''"))
RELEASE = Ending(
    _update(f"not_before = {_DELAY}, last_error = %(error)s, {_LATE}"),
    newer=_update(_LATE),
)
FAIL = Ending(
    _update(
        """attempts = LEAST(attempts + 1, 1000), last_error = %(error)s,
           not_before = clock_timestamp()
               + make_interval(secs => LEAST(2.0 ^ LEAST(attempts + 1, 20), %(longest)s::float8))"""
    )
)
TURN = Ending(
    _update(
        """operation = 'delete', version = nextval('extraction_vectorchange_version'),
           attempts = 0, not_before = NULL, last_error = ''"""
    )
)

# Probe by probe and with arrays, so that no statistics can turn it into a join that reads the whole outbox: that
# cost 160 ms for 1,000 changes instead of 9. The ids come sorted: the order in which changes are locked.
_END = """
    WITH held AS MATERIALIZED (
        SELECT c.point_id AS id, c.version = d.version AS is_same
        FROM unnest(%(ids)s::uuid[], %(versions)s::bigint[]) AS d(id, version) CROSS JOIN LATERAL (
            SELECT point_id, version FROM extraction_vectorchange
            WHERE point_id = d.id AND lease = %(lease)s FOR UPDATE {skip}) AS c),
    same AS ({same} WHERE point_id = ANY(ARRAY(SELECT id FROM held WHERE is_same))),
    newer AS ({newer} WHERE point_id = ANY(ARRAY(SELECT id FROM held WHERE NOT is_same)))
    SELECT id, is_same FROM held
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How many changes ended as meant, how many had a newer version, and which were no longer held."""

    same: int = 0
    newer: int = 0
    lost: tuple[UUID, ...] = ()


def end(lease: UUID, versions: Mapping[UUID, int], how: Ending, parameters: Mapping[str, Any]) -> Ended:
    """End the changes given as point id → claimed version; return what became of each.

    A change that another transaction keeps locked stays as it is: its lease runs out, and it is applied again.
    """
    first = retried(partial(_end_held, lease, versions, how, parameters, must_wait=False))
    same, newer = len(first[True]), len(first[False])
    lost: list[UUID] = []
    for id in sorted(set(versions) - first[True] - first[False]):
        try:
            one = retried(partial(_end_held, lease, {id: versions[id]}, how, parameters, must_wait=True))
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            break
        same, newer = same + len(one[True]), newer + len(one[False])
        if not one[True] and not one[False]:
            lost.append(id)
    return Ended(same, newer, tuple(lost))


def _end_held(
    lease: UUID, versions: Mapping[UUID, int], how: Ending, parameters: Mapping[str, Any], *, must_wait: bool
) -> dict[bool, set[UUID]]:
    """Return the ids that were ended: True → as meant, False → they had a newer version."""
    arrays = {"ids": IdArray(versions).text, "versions": IdArray(versions.values()).text}
    asked = {**parameters, **arrays, "lease": lease}
    statement = _END.format(skip="" if must_wait else "SKIP LOCKED", same=how.same, newer=how.newer)
    found: dict[bool, set[UUID]] = {True: set(), False: set()}
    with connection.cursor() as cursor:
        if must_wait:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        cursor.execute(statement, asked)
        for id, is_same in cursor.fetchall():
            found[is_same].add(id)
    return found


def renew(lease: UUID, ids: Iterable[UUID], lease_seconds: float) -> set[UUID]:
    """Prolong the lease on what it still holds; return the ids."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH held AS MATERIALIZED (
                SELECT point_id FROM extraction_vectorchange
                WHERE point_id = ANY(%(ids)s) AND lease = %(lease)s FOR UPDATE SKIP LOCKED
            )
            UPDATE extraction_vectorchange c
            SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
            FROM held WHERE c.point_id = held.point_id
            RETURNING c.point_id
            """,
            {"ids": list(ids), "lease": lease, "seconds": lease_seconds},
        )
        return {row[0] for row in cursor.fetchall()}


def requeue(ids: list[UUID], late_seconds: float | None) -> int:
    """Queue an upsert of each id, ascending, with the job of its row; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO extraction_vectorchange AS c
                (point_id, kind, operation, version, job_id, queued_at, attempts, last_error, late_write_until)
            SELECT d.id, CASE WHEN e.id IS NULL THEN 'passage' ELSE 'extraction' END, 'upsert',
                   nextval('extraction_vectorchange_version'), COALESCE(p.job_id, e.job_id), clock_timestamp(),
                   0, '', clock_timestamp() + make_interval(secs => %(late)s::float8)
            FROM unnest(%(ids)s::uuid[]) AS d(id)
            LEFT JOIN extraction_passage p ON p.id = d.id
            LEFT JOIN extraction_extraction e ON e.id = d.id
            ORDER BY d.id
            ON CONFLICT (point_id) DO UPDATE SET
                operation = EXCLUDED.operation, version = EXCLUDED.version, not_before = NULL, attempts = 0,
                late_write_until = GREATEST(c.late_write_until, EXCLUDED.late_write_until)
            """,
            {"ids": ids, "late": late_seconds},
        )
        return int(cursor.rowcount)
