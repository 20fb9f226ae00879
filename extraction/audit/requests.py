"""Audits that were asked for: by a TRUNCATE, which no row trigger sees, or by a collection without our rows."""

import logging
from uuid import UUID

from django.db.models.functions import Now

from extraction.audit.compare import AuditReceipt, audit
from extraction.models import AuditRequest, Extraction, Passage, VectorChange
from extraction.vectors import process_store
from extraction.vectors.apply import OUTAGES
from extraction.vectors.stores.base import StoreError, VectorStore
from jobs.errors import Unavailable
from jobs.postgres.advisory_locks import AUDITOR_LOCK, lock_tried

log = logging.getLogger(__name__)

SAMPLE_IDS = 50

_checked_store: VectorStore | None = None


def requests_serve(*, store: VectorStore | None = None) -> AuditReceipt | None:
    """Run the audit that a TRUNCATE or a new collection asked for, with repairs; None if none was asked for.

    One at a time; requests that come meanwhile stay for the next one, and so do all when the store is away.
    """
    asked = list(AuditRequest.objects.values_list("pk", flat=True)[:1000])
    if not asked:
        return None
    with lock_tried(AUDITOR_LOCK) as is_alone:
        if not is_alone:
            return None
        try:
            receipt = audit(fix=True, store=store)
        except Unavailable as error:
            log.warning("audit_postponed", extra={"detail": error.detail})
            return None
    AuditRequest.objects.filter(pk__any=asked).delete()
    log.info("audit_served", extra={"fixed": receipt.fixed, "rows": receipt.rows, "points": receipt.points})
    return receipt


def request_if_collection_is_new(*, store: VectorStore | None = None) -> bool:
    """Ask for an audit when the store in use has none of our rows: its folder or the embedder is new.

    Checked once for each store that is opened. Returns whether an audit was asked for.
    """
    global _checked_store
    try:
        store = store or process_store.store()
        if store is _checked_store:
            return False
        sample = _indexed_sample()
        is_new = bool(sample) and not store.existing(sample)
    except (StoreError, *OUTAGES):
        return False  # the drain that follows says so
    _checked_store = store
    if is_new:
        AuditRequest.objects.create(requested_at=Now(), reason="the collection in use holds none of the rows")
    return is_new


def _indexed_sample() -> list[UUID]:
    """Return some rows that should have points: the oldest ones with nothing waiting."""
    waiting = VectorChange.objects.values("point_id")
    return [
        id
        for model in (Passage, Extraction)
        for id in model.objects.exclude(pk__in=waiting).order_by("pk").values_list("pk", flat=True)[:SAMPLE_IDS]
    ]
