"""Wake-ups: hints that there is work. Losing one loses nothing; healing sends it again."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction

from jobs.messages.names import FINISH_REMOVAL, HEAL, RUN_SLICE
from jobs.messages.send import actor_send

FRESH_WAKE = timedelta(seconds=10)  # a lane woken this recently needs no second message


def lanes_wake(lane_ids: Iterable[int], *, fresh: timedelta = FRESH_WAKE) -> int:
    """Send a message for each lane that is not served and was not woken just now; return how many were sent."""
    wanted = sorted(set(lane_ids))
    if not wanted:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH wanted AS (SELECT id FROM jobs_lane WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE)
            UPDATE jobs_lane l SET woken_at = clock_timestamp() FROM wanted
            WHERE l.id = wanted.id AND l.paused_at IS NULL
              AND (l.lease_until IS NULL OR l.lease_until < clock_timestamp())
              AND (l.woken_at IS NULL OR l.woken_at < clock_timestamp() - make_interval(secs => %s))
            RETURNING l.id
            """,
            [wanted, fresh.total_seconds()],
        )
        sent = [row[0] for row in cursor.fetchall()]
    transaction.on_commit(lambda: _send_slices(sent), robust=True)  # a partial has no name to log
    return len(sent)


def _send_slices(lane_ids: list[int]) -> None:
    for lane_id in lane_ids:
        actor_send(RUN_SLICE, lane_id)


def job_wake(job_id: UUID) -> int:
    """Wake every lane in which the job has pending items; return how many were woken."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT lane_id FROM jobs_workitem WHERE job_id = %s AND state = 'pending'", [job_id])
        return lanes_wake(row[0] for row in cursor.fetchall())


def removal_wake(job_id: UUID) -> None:
    """Send the actor that finishes a cleanup or delete, after this transaction commits."""
    transaction.on_commit(lambda: actor_send(FINISH_REMOVAL, str(job_id)), robust=True)


def healing_wake() -> None:
    """Send the actor that heals, after this transaction commits."""
    transaction.on_commit(lambda: actor_send(HEAL), robust=True)
