"""The audit: compares rows and points both ways, page by page, and lets the outbox put right what differs.

A row waiting in the outbox is lag, not a fault. Both sides move while they are compared, so each suspect is
looked at again, database, store, database, before it counts.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from extraction import bindings, outbox
from extraction.applying import OUTAGES
from extraction.models import AuditRequest, Extraction, Passage, VectorChange
from extraction.stores.base import StoreError, VectorStore
from jobs.errors import Unavailable

log = logging.getLogger(__name__)

AUDITOR_LOCK = 0x51A7A0D  # an advisory lock's key, any number of our own
PAGE = 500
SAMPLE = 50

_checked_store: VectorStore | None = None

Differing = Callable[[Sequence[UUID], VectorStore], list[UUID]]


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
    """Return how rows and points differ. `fix` queues every difference for the next drain.

    A row has its point when the collection that is searched holds it; points count in every collection.
    Raises: Unavailable when the store does not answer.
    """
    outbox.require_no_transaction()
    try:
        store = store or bindings.store()
        rows, pointless = _compare(_row_pages(), store, _without_points, fix)
        found, rowless = _compare(_point_pages(store), store, _without_rows, fix)
    except (StoreError, *OUTAGES) as error:
        raise Unavailable(f"The audit stopped: {error.detail}") from error
    fixed = pointless + rowless if fix else 0
    return AuditReceipt(rows, found, pointless, rowless, fixed, outbox.outbox_lag().changes)


def requests_serve(*, store: VectorStore | None = None) -> AuditReceipt | None:
    """Run the audit that TRUNCATE or a new collection asked for, repairing; None if nobody asked.

    One at a time; requests that come meanwhile stay for the next one, and so do all when the store is away.
    """
    asked = list(AuditRequest.objects.values_list("pk", flat=True)[:1000])
    if not asked or not _try_lock():
        return None
    try:
        receipt = audit(fix=True, store=store)
    except Unavailable as error:
        log.warning("audit_postponed", extra={"detail": error.detail})
        return None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [AUDITOR_LOCK])
    AuditRequest.objects.filter(pk__in=asked).delete()
    log.info("audit_served", extra={"fixed": receipt.fixed, "rows": receipt.rows, "points": receipt.points})
    return receipt


def request_if_collection_is_new(*, store: VectorStore | None = None) -> bool:
    """Ask for an audit when the store in use knows none of our rows: its folder or the embedder is new.

    Looked at once for each store that is opened. Returns whether an audit was asked for.
    """
    global _checked_store
    try:
        store = store or bindings.store()
        if store is _checked_store:
            return False
        sample = _settled_sample()
        is_new = bool(sample) and not store.existing(sample)
    except (StoreError, *OUTAGES):
        return False  # the drain that follows says so
    _checked_store = store
    if is_new:
        AuditRequest.objects.create(requested_at=Now(), reason="the collection in use holds none of the rows")
    return is_new


def _try_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [AUDITOR_LOCK])
        return bool(cursor.fetchone()[0])


def _settled_sample() -> list[UUID]:
    """Return some rows that should have points: the oldest ones with nothing waiting."""
    waiting = VectorChange.objects.values("point_id")
    return [
        id
        for model in (Passage, Extraction)
        for id in model.objects.exclude(pk__in=waiting).order_by("pk").values_list("pk", flat=True)[:SAMPLE]
    ]


def _row_pages() -> Iterator[list[UUID]]:
    for model in (Passage, Extraction):
        ids = model.objects.order_by("pk").values_list("pk", flat=True)
        page = list(ids[:PAGE])
        while page:
            yield page
            page = list(ids.filter(pk__gt=page[-1])[:PAGE])


def _point_pages(store: VectorStore) -> Iterator[list[UUID]]:
    page = store.scroll_ids(None, PAGE)
    while page:
        yield page
        page = store.scroll_ids(page[-1], PAGE)


def _without_points(ids: Sequence[UUID], store: VectorStore) -> list[UUID]:
    """Return the rows that are settled, have no point, and are still settled rows afterwards."""
    settled = _existing_rows(ids) - _waiting(ids)
    missing = settled - store.existing(sorted(settled)) if settled else set()
    return sorted((_existing_rows(sorted(missing)) - _waiting(sorted(missing))) if missing else ())


def _without_rows(ids: Sequence[UUID], store: VectorStore) -> list[UUID]:
    """Return the points that have neither a row nor a change, still are there, and still have neither."""
    suspects = sorted(set(ids) - _existing_rows(ids) - _waiting(ids))
    if not suspects:
        return []
    # The page was contiguous: only points written meanwhile can push a suspect out of a second, larger look.
    still = sorted(set(suspects) & set(store.scroll_ids(_before(suspects[0]), 2 * PAGE)))
    return sorted(set(still) - _existing_rows(still) - _waiting(still)) if still else []


def _before(id: UUID) -> UUID | None:
    return UUID(int=id.int - 1) if id.int else None


def _compare(pages: Iterator[list[UUID]], store: VectorStore, differing: Differing, fix: bool) -> tuple[int, int]:
    """Return how many ids the pages hold and how many of them differ."""
    seen = wrong = 0
    for page in pages:
        seen += len(page)
        found = differing(page, store)
        wrong += len(found)
        if fix:
            outbox.points_requeue(found)
    return seen, wrong


def _existing_rows(ids: Sequence[UUID]) -> set[UUID]:
    return {
        id for model in (Passage, Extraction) for id in model.objects.filter(pk__in=ids).values_list("pk", flat=True)
    }


def _waiting(ids: Sequence[UUID]) -> set[UUID]:
    return set(VectorChange.objects.filter(point_id__in=ids).values_list("point_id", flat=True))
