"""The drain against real PostgreSQL and the real embedded store: nothing is lost, nothing is left behind."""

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from crawling.models import Source
from extraction.models import AuditRequest, Extraction, Passage, VectorChange
from extraction.owners.vector_owner import VectorOwner
from extraction.states import VectorOperation
from extraction.vectors import apply, outbox, process_store
from extraction.vectors.drain import drain, drain_once, drain_vectors
from extraction.vectors.embedding import EmbedderRejected, EmbedderUnavailable, WordLlamaEmbedder
from extraction.vectors.stores.base import StoreRejected, StoreUnavailable
from jobs.errors import Unavailable
from tests.helpers.knowledge import (
    Knowledge,
    Pause,
    TrippingStore,
    all_ids,
    change,
    changes,
    time_passes,
    write_directly,
)
from tests.helpers.threads import Side, until

pytestmark = pytest.mark.django_db(transaction=True)

InThread = Callable[..., Side]
Drained = Callable[[], None]


class Killed(BaseException):
    """The worker dies here: nothing but `finally` sees it."""


def refuse(*arguments: object, **named: object) -> None:
    raise StoreUnavailable("Qdrant does not answer. Check QDRANT_URL.")


def die(*arguments: object) -> None:
    raise Killed


def gone_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a killed drainer release nothing, as after kill -9."""
    monkeypatch.setattr(outbox, "changes_release", lambda *arguments, **named: None)


def test_rows_become_points_and_follow_their_rows(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    rows = [knowledge.passage(), knowledge.extraction({"name": "AQ-20"})]
    drained()
    assert all_ids(store) == sorted(row.pk for row in rows)
    assert store.count(job_ids=[knowledge.job.pk], project_id=knowledge.project.pk) == 2
    Passage.objects.update(job=None)
    drained()
    assert store.count(job_ids=[knowledge.job.pk]) == 1
    Extraction.objects.all().delete()
    drained()
    assert all_ids(store) == [rows[0].pk]


def test_more_than_a_batch(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    rows = knowledge.passages(300)
    receipt = drain(VectorOperation.UPSERT)
    assert (receipt.claimed, receipt.removed, [len(ids) for ids in store.upserts]) == (300, 300, [128, 128, 44])
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM extraction_passage")
    assert drain(VectorOperation.DELETE).removed == len(rows)
    assert all_ids(store) == []


def test_nothing_is_drained_inside_a_transaction(knowledge: Knowledge, store: TrippingStore) -> None:
    knowledge.passage()
    with transaction.atomic(), pytest.raises(TransactionManagementError):
        drain_once(VectorOperation.UPSERT)
    assert store.upserts == []


def test_no_transaction_is_open_while_the_store_works(knowledge: Knowledge, store: TrippingStore) -> None:
    seen: list[tuple[bool, str]] = []

    def look(things: object) -> None:
        state = connection.connection.info.transaction_status.name
        seen.append((connection.in_atomic_block, state))

    store.before_upsert = store.before_delete = look
    passage = knowledge.passage()
    drain_vectors()
    passage.delete()
    drain_vectors()
    assert seen == [(False, "IDLE"), (False, "IDLE")]


def test_a_row_deleted_between_claim_and_upsert_leaves_no_orphan(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread
) -> None:
    passage, pause = knowledge.passage(), Pause()
    store.before_upsert = pause
    side = in_thread(drain, VectorOperation.UPSERT)
    pause.wait_reached()
    Passage.objects.all().delete()
    assert drain(VectorOperation.DELETE).claimed == 0, "the point is still held by the other drainer"
    pause.end()
    assert side.result().outdated == 1
    assert all_ids(store) == [passage.pk]
    assert drain_vectors().removed == 1
    assert all_ids(store) == [] and changes() == {}


def test_a_row_deleted_before_it_is_read_is_left_to_its_delete(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder
) -> None:
    knowledge.passage()
    batch = outbox.changes_claim(VectorOperation.UPSERT, limit=10)
    Passage.objects.all().delete()
    version = VectorChange.objects.get().version
    applied = apply.Applying(batch, store, embedder)
    applied.run()
    assert (applied.applied.turned, store.upserts) == (0, [])
    left = VectorChange.objects.get()
    assert (left.operation, left.version, left.lease) == ("delete", version, None)


def test_a_vanished_row_without_a_delete_is_deleted(
    knowledge: Knowledge, store: TrippingStore, drained: Drained
) -> None:
    knowledge.passage()
    drained()
    Passage.objects.update(text="changed")
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE extraction_passage")
    receipt = drain_vectors()
    assert (receipt.turned, changes(), all_ids(store)) == (1, {}, [])


def test_a_change_queued_again_while_applied_is_not_removed(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread
) -> None:
    passage, pause = knowledge.passage("old words"), Pause()
    store.after_upsert = pause
    side = in_thread(drain_once, VectorOperation.UPSERT)
    pause.wait_reached()
    Passage.objects.update(text="new words")
    pause.end()
    receipt = side.result()
    assert (receipt.outdated, receipt.removed) == (1, 0)
    left = change(passage)
    assert (left.operation, left.lease, left.lease_until) == ("upsert", None, None)
    store.calm()
    assert drain_vectors().removed == 1


def test_the_trigger_never_clears_a_lease(knowledge: Knowledge, store: TrippingStore) -> None:
    passage = knowledge.passage()
    batch = outbox.changes_claim(VectorOperation.UPSERT, limit=10)
    Passage.objects.update(text="changed")
    assert change(passage).lease == batch.lease
    assert outbox.changes_claim(VectorOperation.UPSERT, limit=10) is None
    Passage.objects.all().delete()
    assert VectorChange.objects.get().lease == batch.lease
    assert outbox.changes_claim(VectorOperation.DELETE, limit=10) is None


def test_late_write_of_a_drainer_that_then_dies_is_repaired_by_the_second_application(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    passage, pause = knowledge.passage(), Pause()
    store.before_upsert, store.after_upsert = pause, die
    side = in_thread(drain_once, VectorOperation.UPSERT)
    pause.wait_reached()
    gone_for_good(monkeypatch)
    time_passes(lease_until=True)
    Passage.objects.all().delete()
    receipt = drain(VectorOperation.DELETE)
    assert (receipt.repeated, receipt.removed, all_ids(store)) == (1, 0, [])
    left = VectorChange.objects.get()
    assert left.lease is None and left.not_before == left.late_write_until is not None
    assert drain(VectorOperation.DELETE).claimed == 0, "the grace is not over"
    pause.end()
    with pytest.raises(Killed):
        side.result()
    assert all_ids(store) == [passage.pk], "the late write is there"
    time_passes()
    assert drain(VectorOperation.DELETE).removed == 1
    assert all_ids(store) == [] and changes() == {}


def test_a_newer_change_inherits_the_grace(knowledge: Knowledge, store: TrippingStore) -> None:
    knowledge.passage()
    outbox.changes_claim(VectorOperation.UPSERT, limit=10)
    time_passes(lease_until=True)
    assert drain(VectorOperation.UPSERT).repeated == 1
    Passage.objects.all().delete()  # due at once, though the late upsert may still come
    assert drain(VectorOperation.DELETE).repeated == 1
    time_passes()
    assert drain(VectorOperation.DELETE).removed == 1


def test_a_drainer_that_wrote_late_asks_for_a_second_look(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread
) -> None:
    passage, pause = knowledge.passage(), Pause()
    store.before_upsert = pause
    side = in_thread(drain_once, VectorOperation.UPSERT)
    pause.wait_reached()
    time_passes(lease_until=True)
    Passage.objects.all().delete()
    for _ in range(2):  # the delete and its repetition are over before the old drainer wakes
        drain(VectorOperation.DELETE)
        time_passes()
    assert changes() == {}
    pause.end()
    assert side.result().lost == 1
    assert all_ids(store) == [passage.pk]
    store.calm()
    drain_vectors()
    assert all_ids(store) == [] and changes() == {}


def test_only_the_holder_of_the_lease_ends_a_change(knowledge: Knowledge, store: TrippingStore) -> None:
    row = knowledge.passage()
    first = outbox.changes_claim(VectorOperation.UPSERT, limit=10)
    time_passes(lease_until=True)
    second = outbox.changes_claim(VectorOperation.UPSERT, limit=10)
    assert (second.open[row.pk].version, second.open[row.pk].may_be_overtaken) == (first.open[row.pk].version, True)
    assert outbox.changes_finish(first, [row.pk]) == outbox.Finished(lost=1)
    assert change(row).lease == second.lease
    assert outbox.changes_finish(second, [row.pk]) == outbox.Finished(outdated=1)
    assert change(row).lease is None


def test_nothing_is_sent_on_a_lease_about_to_run_out(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder
) -> None:
    first, second = knowledge.passages(2)
    batch = outbox.changes_claim(VectorOperation.UPSERT, limit=10)
    time_passes(lease_until=True)
    VectorChange.objects.filter(pk=first.pk).update(lease=uuid4())  # claimed by another
    batch.held_until -= 59.0
    applied = apply.Applying(batch, store, embedder)
    applied.run()
    assert store.upserts == [[second.pk]], "what is still held is sent on a new lease"
    assert (applied.applied.lost, applied.applied.removed) == (1, 1)
    assert batch.remaining_seconds > 50


def test_nothing_is_sent_when_the_lease_cannot_be_prolonged(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder
) -> None:
    knowledge.passage()
    batch = outbox.changes_claim(VectorOperation.UPSERT, limit=10, lease_seconds=1.0)
    apply.Applying(batch, store, embedder).run()
    assert store.upserts == [], "a lease of 1 s is shorter than a write of 1.5 s"


def test_an_outage_leaves_the_rows_for_later(knowledge: Knowledge, store: TrippingStore) -> None:
    upsert, delete = knowledge.passage(), knowledge.passage()
    drain_vectors()
    Passage.objects.filter(pk=upsert.pk).update(text="changed")
    Passage.objects.filter(pk=delete.pk).delete()
    store.before_upsert = store.before_delete = refuse
    receipt = drain_vectors()
    assert "Qdrant" in receipt.unavailable and (receipt.claimed, receipt.removed) == (2, 0)
    assert changes() == {upsert.pk: "upsert", delete.pk: "delete"}
    assert not VectorChange.objects.filter(lease__isnull=False).exists()
    assert {one.attempts for one in VectorChange.objects.all()} == {0}
    assert outbox.outbox_lag().changes == 2 and outbox.outbox_lag().oldest_seconds > 0
    store.calm()
    time_passes(not_before=True)
    assert drain_vectors().repeated == 2, "a write that timed out may still arrive"
    time_passes()
    assert drain_vectors().removed == 2
    assert all_ids(store) == [upsert.pk] and outbox.outbox_lag() == outbox.OutboxLag(0, 0.0)


def test_deletes_need_no_embedder(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, stays = knowledge.passage(), knowledge.passage()
    drain_vectors()
    Passage.objects.filter(pk=gone.pk).delete()
    Passage.objects.filter(pk=stays.pk).update(text="changed")

    def down(texts: object) -> None:
        raise EmbedderUnavailable("the embedder is down")

    monkeypatch.setattr(embedder, "embed_texts", down)
    receipt = drain_vectors()
    assert (receipt.unavailable, receipt.removed) == ("the embedder is down", 1)
    assert all_ids(store) == [stays.pk] and changes() == {stays.pk: "upsert"}
    assert change(stays).late_write_until is None, "nothing was sent"


@pytest.mark.parametrize("names_culprit", [True, False])
def test_a_poisonous_row_backs_off_alone(knowledge: Knowledge, store: TrippingStore, names_culprit: bool) -> None:
    rows = knowledge.passages(20)
    culprit = rows[13].pk

    def reject(points: object) -> None:
        if any(point.id == culprit for point in points):
            raise StoreRejected("this point is refused", [culprit] if names_culprit else [])

    store.before_upsert = reject
    receipt = drain_vectors()
    assert (receipt.removed, receipt.failed, receipt.unavailable) == (19, 1, "")
    assert all_ids(store) == sorted(row.pk for row in rows if row.pk != culprit)
    left = VectorChange.objects.get()
    assert (left.point_id, left.attempts, left.last_error, left.lease) == (
        culprit,
        1,
        "this point is refused",
        None,
    )
    assert drain_vectors().claimed == 0, "it waits"
    delays = []
    for _ in range(3):
        time_passes(not_before=True)
        drain_vectors()
        left.refresh_from_db()
        delays.append((left.not_before - left.queued_at).total_seconds())
    assert left.attempts == 4 and delays == sorted(delays) and delays[2] - delays[0] > 10
    Passage.objects.filter(pk=culprit).update(text="harmless")
    store.calm()
    assert drain_vectors().removed == 1, "a changed row is tried at once"


def test_the_back_off_of_a_refused_row_has_a_ceiling(knowledge: Knowledge, store: TrippingStore) -> None:
    def reject(points: object) -> None:
        raise StoreRejected("this point is refused")

    row = knowledge.passage()
    store.before_upsert = reject
    for attempts in (11, 1000):  # 2 ** 12 s is more than an hour
        VectorChange.objects.update(attempts=attempts, not_before=None)
        before = timezone.now()
        assert drain_vectors().failed == 1
        due_at = change(row).not_before
        assert before <= due_at - timedelta(seconds=outbox.MAX_BACKOFF_SECONDS) <= timezone.now()


def test_a_text_the_embedder_refuses_backs_off_alone(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = knowledge.passages(5)
    embed = embedder.embed_texts

    def picky(texts: list[str]) -> object:
        if any("number 3" in text for text in texts):
            raise EmbedderRejected("too strange")
        return embed(texts)

    monkeypatch.setattr(embedder, "embed_texts", picky)
    receipt = drain_vectors()
    assert (receipt.removed, receipt.failed) == (4, 1)
    assert changes() == {rows[3].pk: "upsert"}


def test_a_crash_between_store_and_outbox_is_harmless_to_repeat(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = knowledge.passages(3)
    with monkeypatch.context() as patch:
        gone_for_good(patch)
        store.after_upsert = die
        with pytest.raises(Killed):
            drain_once(VectorOperation.UPSERT)
    assert len(all_ids(store)) == 3 and len(changes()) == 3
    store.calm()
    assert drain_vectors().claimed == 0, "the dead drainer's lease still runs"
    time_passes(lease_until=True)
    assert drain_vectors().repeated == 3
    time_passes()
    assert drain_vectors().removed == 3
    assert all_ids(store) == sorted(row.pk for row in rows)


def test_an_interrupt_gives_everything_back(knowledge: Knowledge, store: TrippingStore) -> None:
    row = knowledge.passage()
    store.after_upsert = die
    with pytest.raises(Killed):
        drain_once(VectorOperation.UPSERT)
    left = change(row)
    assert left.lease is None and left.late_write_until is not None and left.not_before is not None


def test_two_drains_side_by_side_share_the_work(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread
) -> None:
    rows = knowledge.passages(300)
    sides = [in_thread(drain, VectorOperation.UPSERT) for _ in range(3)]
    assert sum(side.result().removed for side in sides) == 300
    assert sorted(id for ids in store.upserts for id in ids) == sorted(row.pk for row in rows)


def test_a_drainer_never_deadlocks_with_a_writer(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread
) -> None:
    first, last = sorted(row.pk for row in knowledge.passages(2))
    pause = Pause()
    store.after_upsert = pause
    side = in_thread(drain_once, VectorOperation.UPSERT)
    pause.wait_reached()
    with transaction.atomic():
        Passage.objects.filter(pk=last).update(text="changed")
        pause.end()
        until(lambda: first not in changes() or side.is_over, "the free change ends though the other is locked")
        side.wait_blocked()
        Passage.objects.filter(pk=first).update(text="changed")  # the reverse of the drainer's order
    receipt = side.result()
    assert (receipt.removed, receipt.outdated) == (1, 1)
    assert changes() == {first: "upsert", last: "upsert"}


def test_a_change_locked_for_long_is_left_to_its_lease(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread
) -> None:
    row, pause = knowledge.passage(), Pause()
    store.after_upsert = pause
    side = in_thread(drain_once, VectorOperation.UPSERT)
    pause.wait_reached()
    with transaction.atomic():
        Passage.objects.filter(pk=row.pk).update(text="changed")
        pause.end()
        assert side.result().removed == 0
    assert change(row).lease is not None


def test_many_writers_and_drainers_agree_in_the_end(
    knowledge: Knowledge, store: TrippingStore, in_thread: InThread
) -> None:
    rows = [row.pk for row in knowledge.passages(60)]
    writers_done = threading.Event()

    def write(offset: int) -> None:
        for number, id in enumerate(rows[offset::2]):
            Passage.objects.filter(pk=id).update(text=f"again {number}")
            if number % 3 == 0:
                Passage.objects.filter(pk=id).delete()

    def drain_on() -> None:
        while not writers_done.is_set():
            drain_vectors()

    drainers = [in_thread(drain_on) for _ in range(2)]
    writers = [in_thread(write, offset) for offset in range(2)]
    for side in writers:
        side.result()
    writers_done.set()
    for side in drainers:
        side.result()
    drain_vectors()
    assert changes() == {}
    assert all_ids(store) == sorted(Passage.objects.values_list("pk", flat=True))


def test_changed_group_of_a_source_reaches_the_payload(
    knowledge: Knowledge, store: TrippingStore, drained: Drained
) -> None:
    knowledge.passage()
    drained()
    Source.objects.update(source_group="globex", language="de")
    drained()
    record = store._store._current.retrieve([all_ids(store)[0]], True, False)[0]
    assert (record.payload["source_group"], record.payload["language"]) == ("globex", "de")


def test_payload_of_an_extraction(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    price = {"amount": "12.50", "currency": "EUR"}
    data = {"name": "AQ-20", "price": price, "tags": ["a", "b"], "big": 2**70, "long": "x" * 400, "none": None}
    row = knowledge.extraction(data | {"made_up": "yes"}, ungrounded=["made_up"])
    drained()
    payload = store._store._current.retrieve([row.pk], True, False)[0].payload
    assert payload["data"] == {"name": "AQ-20", "price": price, "tags": ["a", "b"], "big": pytest.approx(2.0**70)}
    assert (payload["kind"], payload["field_group"]) == ("extraction", "product")
    assert payload["job_id"] == str(knowledge.job.pk) and payload["source_id"] == str(knowledge.source.pk)


def test_data_of_another_shape_blocks_nobody(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    strange, good = knowledge.extraction({}), knowledge.extraction({"name": "AQ-20"})
    Extraction.objects.filter(pk=strange.pk).update(data=[1, "two"], ungrounded="name")
    drained()
    assert all_ids(store) == sorted([strange.pk, good.pk])


def test_the_owner_proves_that_nothing_is_left(knowledge: Knowledge, store: TrippingStore) -> None:
    owner, jobs = VectorOwner(), [knowledge.job.pk]
    knowledge.passages(3)
    assert owner.count(jobs) == 3, "changes that could still write a point count"
    drain_vectors()
    assert owner.count(jobs) == 3 and owner.count([uuid4()]) == 0
    Passage.objects.all().delete()
    assert outbox.changes_left(jobs) == 3
    assert owner.count(jobs) == 3
    owner.work_off(jobs)
    assert (owner.count(jobs), store.count()) == (0, 0)
    assert (owner.remove_chunk(jobs[0], size=10), owner.adopt_chunk(jobs[0], size=10)) == ({}, 0)


def test_the_owner_finds_orphans_that_no_change_tells_of(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder
) -> None:
    write_directly(store, embedder, [row.pk for row in knowledge.passages(3)])
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE extraction_passage DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM extraction_passage")
        cursor.execute("ALTER TABLE extraction_passage ENABLE TRIGGER USER")
    VectorChange.objects.all().delete()
    assert (outbox.changes_left([knowledge.job.pk]), VectorOwner().count([knowledge.job.pk])) == (0, 3)
    VectorOwner().work_off([knowledge.job.pk])
    assert store.count() == 0


def test_the_owner_says_when_the_store_is_away(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "count", refuse, raising=False)
    with pytest.raises(Unavailable, match="Check QDRANT_URL"):
        VectorOwner().count([knowledge.job.pk])
    store.before_delete = refuse
    knowledge.passage()
    Passage.objects.all().delete()
    with pytest.raises(Unavailable, match="cannot be removed now: Qdrant"):
        VectorOwner().work_off([knowledge.job.pk])


def test_the_owner_follows_rows_that_went_to_another_job(knowledge: Knowledge, store: TrippingStore) -> None:
    knowledge.passages(2)
    drain_vectors()
    Passage.objects.update(job=None)  # adopted: the store still says the old job
    assert VectorOwner().count([knowledge.job.pk]) == 2
    VectorOwner().work_off([knowledge.job.pk])
    assert (VectorOwner().count([knowledge.job.pk]), store.count()) == (0, 2)


def test_a_store_that_cannot_be_opened_claims_nothing(knowledge: Knowledge, monkeypatch: pytest.MonkeyPatch) -> None:
    knowledge.passage()
    monkeypatch.setattr(process_store, "store", refuse)
    receipt = drain_vectors()
    assert (receipt.claimed, receipt.unavailable[:6]) == (0, "Qdrant")
    assert VectorChange.objects.filter(lease__isnull=True).count() == 1
    assert not AuditRequest.objects.exists()


def test_points_without_a_row_are_asked_about_too(knowledge: Knowledge, store: TrippingStore) -> None:
    unknown = UUID(int=7)
    assert outbox.points_requeue([unknown, unknown]) == 1
    receipt = drain_vectors()
    assert (receipt.turned, receipt.removed, changes()) == (1, 1, {})
