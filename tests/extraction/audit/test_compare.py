"""The audit: what differs is found on both sides, lag is not a fault, and the outbox repairs it."""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from extraction import actors
from extraction.audit import compare, requests
from extraction.audit.compare import AuditReceipt
from extraction.models import AuditRequest, Extraction, Passage, VectorChange
from extraction.vectors import process_store
from extraction.vectors.drain import drain_vectors
from extraction.vectors.embedding import WordLlamaEmbedder
from extraction.vectors.stores.base import Point, StoreUnavailable
from extraction.vectors.stores.edge import EdgeStore
from jobs.errors import Unavailable
from jobs.postgres.advisory_locks import AUDITOR_LOCK, lock_tried
from tests.helpers.knowledge import Knowledge, TrippingStore, all_ids, changes, write_directly
from tests.helpers.threads import Side

pytestmark = pytest.mark.django_db(transaction=True)

Drained = Callable[[], None]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 7, so that a handful of rows fills several."""
    monkeypatch.setattr(compare, "BATCH_IDS", 7)


def orphans(store: TrippingStore, numbers: range) -> list[UUID]:
    """Put points into the store that no row and no change knows."""
    ids = [UUID(int=number) for number in numbers]
    store._store.upsert([Point(id, [0.1] * 256, [1], [1.0], {}) for id in ids])
    return ids


def lose_points(store: TrippingStore, ids: list[UUID]) -> None:
    store._store.delete(ids)


def test_agreement(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    knowledge.passages(20)
    knowledge.extraction({"name": "AQ-20"})
    drained()
    assert compare.audit() == AuditReceipt(21, 21, 0, 0, 0, 0)


def test_both_sides_empty(knowledge: Knowledge, store: TrippingStore) -> None:
    assert compare.audit(fix=True) == AuditReceipt(0, 0, 0, 0, 0, 0)


def test_differences_are_counted_and_fixed_both_ways(
    knowledge: Knowledge, store: TrippingStore, drained: Drained
) -> None:
    rows = [row.pk for row in knowledge.passages(30)] + [knowledge.extraction({"name": "AQ-20"}).pk]
    drained()
    lose_points(store, [rows[0], rows[9], rows[10], rows[30]])
    strangers = orphans(store, range(1, 11)) + orphans(store, range(2**128 - 5, 2**128))
    found = compare.audit()
    assert found == AuditReceipt(31, 42, 4, 15, 0, 0)
    assert changes() == {}, "without fix nothing is touched"
    assert compare.audit(fix=True) == AuditReceipt(31, 42, 4, 15, 19, 19)
    assert set(changes()) == {rows[0], rows[9], rows[10], rows[30], *strangers}
    drained()
    assert all_ids(store) == sorted(rows)
    assert compare.audit() == AuditReceipt(31, 31, 0, 0, 0, 0)


def test_lag_is_not_a_fault(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    knowledge.passages(10)
    drained()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM extraction_passage WHERE ordinal < 4")
    knowledge.extraction({"name": "AQ-20"})
    assert compare.audit(fix=True) == AuditReceipt(7, 10, 0, 0, 0, 5)


def test_what_moves_while_it_is_compared_is_no_fault(
    knowledge: Knowledge, store: TrippingStore, drained: Drained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the looks at both sides rows are deleted and inserted, and the drain keeps up."""
    knowledge.passages(10)
    drained()
    existing, scroll_ids = store._store.existing, store._store.scroll_ids
    turns = {"existing": 0, "scroll": 0}

    def existing_after_a_delete(ids: list[UUID]) -> set[UUID]:
        if not turns["existing"]:
            Passage.objects.filter(pk=ids[0]).delete()
            drain_vectors()
        turns["existing"] += 1
        return existing(ids)

    def scroll_before_a_delete(after: UUID | None, limit: int) -> list[UUID]:
        found = scroll_ids(after, limit)
        if not turns["scroll"]:
            Passage.objects.filter(pk=found[0]).delete()
            knowledge.extraction({"name": "AQ-20"})
            drain_vectors()
        turns["scroll"] += 1
        return found

    monkeypatch.setattr(store, "existing", existing_after_a_delete, raising=False)
    monkeypatch.setattr(store, "scroll_ids", scroll_before_a_delete, raising=False)
    receipt = compare.audit(fix=True)
    assert turns["existing"] and turns["scroll"]
    assert (receipt.rows_without_points, receipt.points_without_rows, receipt.fixed) == (0, 0, 0)


def test_truncate_is_served_by_the_next_drain(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    knowledge.passages(10)
    row = knowledge.extraction({"name": "AQ-20"})
    drained()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE extraction_passage")
    assert AuditRequest.objects.count() == 1
    actors.drain_vectors.fn()  # nothing is due, so it serves the audit
    assert AuditRequest.objects.count() == 0 and len(changes()) == 10
    drained()
    assert all_ids(store) == [row.pk]


def test_a_lost_outbox_is_made_good(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    rows = knowledge.passages(3)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE extraction_vectorchange")
    actors.drain_vectors.fn()
    drained()
    assert all_ids(store) == sorted(row.pk for row in rows)


def test_requests_wait_for_the_store(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*arguments: object) -> None:
        raise StoreUnavailable("Qdrant does not answer")

    AuditRequest.objects.create(requested_at=timezone.now(), reason="test")
    with monkeypatch.context() as patch:
        patch.setattr(store, "scroll_ids", away, raising=False)
        assert requests.requests_serve() is None
        with pytest.raises(Unavailable, match="The audit stopped: Qdrant does not answer"):
            compare.audit()
    assert AuditRequest.objects.count() == 1
    assert requests.requests_serve() == AuditReceipt(0, 0, 0, 0, 0, 0)
    assert AuditRequest.objects.count() == 0 and requests.requests_serve() is None


def test_one_audit_at_a_time(knowledge: Knowledge, store: TrippingStore, in_thread: Callable[..., Side]) -> None:
    AuditRequest.objects.create(requested_at=timezone.now(), reason="test")
    with lock_tried(AUDITOR_LOCK) as is_alone:
        assert is_alone
        assert in_thread(requests.requests_serve).result() is None
    assert in_thread(requests.requests_serve).result() is not None


def test_another_embedder_indexes_everything_again(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder, drained: Drained, tmp_path: Path
) -> None:
    rows = [*knowledge.passages(10), knowledge.extraction({"name": "AQ-20"})]
    drained()
    assert not AuditRequest.objects.exists()
    store._store.close()
    other = EdgeStore(tmp_path / "vectors", embedder="another", dimension=256, timeout_seconds=0.5)
    try:
        with process_store.bound(other, embedder):
            actors.drain_vectors.fn()
            assert len(changes()) == 11
            drain_vectors()
            assert changes() == {}
            assert other.existing([row.pk for row in rows]) == {row.pk for row in rows}
            assert other.count() == 11, "the old collection is emptied as the points move"
            assert compare.audit() == AuditReceipt(11, 11, 0, 0, 0, 0)
    finally:
        other.close()


def test_a_new_installation_asks_for_no_audit(knowledge: Knowledge, store: TrippingStore) -> None:
    assert requests.request_if_collection_is_new() is False
    knowledge.passage()
    assert requests.request_if_collection_is_new() is False
    assert not AuditRequest.objects.exists()


def test_no_audit_inside_a_transaction(knowledge: Knowledge, store: TrippingStore) -> None:
    with transaction.atomic(), pytest.raises(TransactionManagementError):
        compare.audit()


def test_a_point_written_past_the_outbox_is_no_fault(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder
) -> None:
    rows = knowledge.passages(3)
    write_directly(store, embedder, [row.pk for row in rows])
    VectorChange.objects.all().delete()
    assert compare.audit() == AuditReceipt(3, 3, 0, 0, 0, 0)
    assert Extraction.objects.count() == 0
