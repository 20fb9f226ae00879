"""The audit: compares rows and points both ways, batch by batch, and lets the outbox put right what differs.

A row waiting in the outbox is lag, not a fault. Both sides move while they are compared, so each suspect is
looked at again, database, store, database, and all of it twice, before it counts. Never more than a batch of ids
is in memory.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connection

from extraction.audit import state
from extraction.audit.state import Progress
from extraction.models import Extraction, Passage
from extraction.states import AuditSide
from extraction.vectors import outbox, process_store
from extraction.vectors.apply import OUTAGES
from extraction.vectors.stores.base import StoreError, VectorStore
from jobs.errors import Unavailable

BATCH_IDS = 500
LOOKS = 2  # a fault must show twice: a replica of a cluster may lag for a moment

# One array instead of 500 parameters, as `pk__in` makes them: a fifth of the time, of which there is a lot in an audit.
_ROWS = """
    SELECT id FROM extraction_passage WHERE id = ANY(%(ids)s)
    UNION ALL SELECT id FROM extraction_extraction WHERE id = ANY(%(ids)s)
"""
_CHANGES = "SELECT point_id FROM extraction_vectorchange WHERE point_id = ANY(%(ids)s)"


@dataclass(frozen=True, slots=True)
class AuditReceipt:
    """What was compared and what differs. waiting: changes not applied yet. fixed: queued to be put right."""

    rows: int
    points: int
    rows_without_points: int
    points_without_rows: int
    fixed: int
    waiting: int


def audit(fix: bool = False, *, store: VectorStore | None = None) -> AuditReceipt:
    """Return how rows and points differ, and keep it. `fix` queues every difference for the next drain.

    A row has its point when the collection that is searched holds it; points count in every collection.
    Raises: Unavailable when the store does not answer.
    """
    outbox.require_no_transaction()
    progress = Progress()
    try:
        store = store or process_store.store()
        while not progress.is_done:
            progress = batch_compare(progress, store, fix=fix)
    except (StoreError, *OUTAGES) as error:
        state.attempt_interrupted(error.detail)
        raise Unavailable(f"The audit stopped: {error.detail}") from error
    state.audit_finished(progress)
    return AuditReceipt(
        progress.rows,
        progress.points,
        progress.rows_without_points,
        progress.points_without_rows,
        progress.fixed,
        outbox.outbox_lag().changes,
    )


def batch_compare(progress: Progress, store: VectorStore, *, fix: bool = False) -> Progress:
    """Compare the next batch of ids; return how far the audit has come with it.

    Raises: StoreError, or one of `apply.OUTAGES`.
    """
    began = time.monotonic()
    is_points = progress.is_at_points
    batch = store.scroll_ids(progress.after, BATCH_IDS) if is_points else _row_batch(progress.side, progress.after)
    if not batch:
        return progress.side_ended()
    look = _without_rows if is_points else _without_points
    found: Sequence[UUID] = batch
    for _ in range(LOOKS):
        found = look(found, store) if found else []
    if fix:
        outbox.points_requeue(found)
    seen = progress.points_seen if is_points else progress.rows_seen
    compared = seen(len(batch), len(found), after=batch[-1])
    fixed = progress.fixed + (len(found) if fix else 0)
    return replace(compared, fixed=fixed, seconds=progress.seconds + time.monotonic() - began)


def _row_batch(side: AuditSide, after: UUID | None) -> list[UUID]:
    model: type[Passage] | type[Extraction] = Passage if side is AuditSide.PASSAGES else Extraction
    ids = model.objects.order_by("pk").values_list("pk", flat=True)
    return list((ids if after is None else ids.filter(pk__gt=after))[:BATCH_IDS])


def _without_points(ids: Sequence[UUID], store: VectorStore) -> list[UUID]:
    """Return the rows with nothing waiting that have no point, and still are such rows afterwards."""
    expected = _existing_rows(ids) - _waiting(ids)
    missing = expected - store.existing(sorted(expected)) if expected else set()
    return sorted((_existing_rows(sorted(missing)) - _waiting(sorted(missing))) if missing else ())


def _without_rows(ids: Sequence[UUID], store: VectorStore) -> list[UUID]:
    """Return the points that have neither a row nor a change, still are there, and still have neither."""
    suspects = sorted(set(ids) - _existing_rows(ids) - _waiting(ids))
    if not suspects:
        return []
    # The batch was contiguous: only points written meanwhile can push a suspect out of a second, larger look.
    still = sorted(set(suspects) & set(store.scroll_ids(_before(suspects[0]), 2 * BATCH_IDS)))
    return sorted(set(still) - _existing_rows(still) - _waiting(still)) if still else []


def _before(id: UUID) -> UUID | None:
    return UUID(int=id.int - 1) if id.int else None


def _existing_rows(ids: Sequence[UUID]) -> set[UUID]:
    return _known(_ROWS, ids)


def _waiting(ids: Sequence[UUID]) -> set[UUID]:
    return _known(_CHANGES, ids)


def _known(statement: str, ids: Sequence[UUID]) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"ids": list(ids)})
        return {row[0] for row in cursor.fetchall()}
