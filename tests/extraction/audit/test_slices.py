"""The audit in the background: due by the clock or after a crash, one at a time, resumed, and its result kept."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone
from dramatiq.middleware import Shutdown

from extraction import actors
from extraction.audit import chore, compare, slices, state
from extraction.audit.chore import AUDIT_SLICE, AuditChore
from extraction.audit.slices import slice_serve
from extraction.audit.state import LastAudit, Progress, last_audit
from extraction.models import AuditState, VectorChange
from extraction.vectors.drain import drain_vectors
from extraction.vectors.embedding import WordLlamaEmbedder
from extraction.vectors.stores.base import Point, StoreUnavailable
from jobs.errors import Unavailable
from jobs.postgres.advisory_locks import AUDITOR_LOCK, lock_tried
from jobs.registry import chores
from jobs.worker.host import WorkerHost
from tests.helpers.knowledge import Knowledge, Pause, TrippingStore
from tests.helpers.threads import Side, until

pytestmark = pytest.mark.django_db(transaction=True)

Drained = Callable[[], None]
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def small_and_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "BATCH_IDS", 7)
    monkeypatch.setattr(slices, "REST_RATIO", 0.0)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would be sent to workers."""
    messages: list[str] = []
    for module in (chore, actors):
        monkeypatch.setattr(module, "actor_send", messages.append)
    return messages


def row(**columns: Any) -> AuditState:
    """Write columns of the one row, if any, and return it."""
    AuditState.objects.bulk_create([AuditState()], ignore_conflicts=True)
    if columns:
        AuditState.objects.update(**columns)
    return AuditState.objects.get()


def due() -> AuditState:
    return row(due_at=timezone.now() - timedelta(seconds=1))


def serve() -> bool:
    return slice_serve(threading.Event())


def found() -> tuple[int, int, int, int]:
    last = last_audit()
    assert last is not None
    return last.rows, last.points, last.rows_without_points, last.points_without_rows


def strangers(store: TrippingStore, number: int) -> None:
    ids = [UUID(int=n) for n in range(1, number + 1)]
    store._store.upsert([Point(id, [0.1] * 256, [1], [1.0], {}) for id in ids])


def test_the_first_is_due_a_minute_after_the_first_look(db: None, sent: list[str]) -> None:
    AuditState.objects.all().delete()
    before = timezone.now()
    assert AuditChore().wake_if_due() == 0 and last_audit() is None
    assert before <= row().due_at - state.FIRST_AFTER <= timezone.now()
    assert AuditChore().is_idle(), "no command waits for an audit"
    assert "audit" in chores._chores


@pytest.mark.parametrize(
    ("age", "hours", "number"), [(HOUR, 1, 1), (HOUR * 0.9, 1, 0), (HOUR * 30, 31, 0), (HOUR * 900, 0, 0)]
)
def test_the_age_of_the_last_one_makes_it_due(
    db: None, settings: Any, sent: list[str], age: timedelta, hours: int, number: int
) -> None:
    settings.QUARRY = replace(settings.QUARRY, audit_hours=hours)
    row(finished_at=timezone.now() - age, due_at=None)
    assert AuditChore().wake_if_due() == number == len(sent)


def test_without_hours_none_is_run(knowledge: Knowledge, store: TrippingStore, settings: Any) -> None:
    settings.QUARRY = replace(settings.QUARRY, audit_hours=0)
    due()
    assert serve() is False and last_audit() is None


def test_a_wake_up_is_repeated_only_when_it_seems_lost(db: None, sent: list[str]) -> None:
    due()
    assert [AuditChore().wake_if_due() for _ in range(3)] == [1, 0, 0]
    row(woken_at=timezone.now() - timedelta(seconds=chore.WAKE_AGAIN_SECONDS + 1))
    assert AuditChore().wake_if_due() == 1


def test_what_is_found_is_kept_and_not_repaired(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    rows = [row.pk for row in knowledge.passages(20)] + [knowledge.extraction({"name": "AQ-20"}).pk]
    drained()
    store._store.delete([rows[0], rows[20]])
    strangers(store, 9)
    due()
    assert serve() is False
    last = last_audit()
    assert last is not None and last.is_complete
    assert replace(last, age_seconds=0.0, seconds=0.0) == LastAudit(0.0, 21, 28, 2, 9, 0, 0.0, "")
    assert last.age_seconds >= 0 and last.seconds > 0
    assert VectorChange.objects.count() == 0
    assert not state.wake_is_due(hours=1, again_seconds=0), "it is due again in an hour"
    assert compare.audit(fix=True).fixed == 11
    last = last_audit()
    assert last is not None and (last.rows_without_points, last.points_without_rows, last.fixed) == (0, 0, 11)
    drain_vectors()
    compare.audit()
    assert found() == (21, 21, 0, 0)


class BatchByBatch:
    """Ends each slice after one batch, and remembers what was compared."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[tuple[str, UUID | None]] = []
        self._compare = slices.batch_compare
        self._stopping = threading.Event()
        monkeypatch.setattr(slices, "batch_compare", self._one_batch)

    def serve(self) -> bool:
        self._stopping = threading.Event()
        return slice_serve(self._stopping)

    def _one_batch(self, progress: Progress, store: Any) -> Progress:
        self.batches.append((progress.side, progress.after))
        self._stopping.set()
        return self._compare(progress, store)


def test_a_slice_goes_on_where_the_last_one_ended(
    knowledge: Knowledge, store: TrippingStore, drained: Drained, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = knowledge.passages(20)
    drained()
    store._store.delete([rows[0].pk])
    due()
    one_by_one = BatchByBatch(monkeypatch)
    begun = set()
    while last_audit() is None:
        assert len(one_by_one.batches) < 20
        assert one_by_one.serve() is False, "it was told to stop"
        begun.add(row().begun_at)
    assert [side for side, _ in one_by_one.batches] == ["passages"] * 4 + ["extractions"] + ["points"] * 4
    assert len(set(one_by_one.batches)) == len(one_by_one.batches), "no batch was compared twice"
    assert len(begun - {None}) == 1
    assert found() == (20, 19, 1, 0)


def test_after_its_time_a_slice_wants_another(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    due()
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    actors.audit_slice.fn()
    assert (sent, last_audit()) == ([AUDIT_SLICE], None)
    assert AuditChore().wake_if_due() == 0, "the slice has seen to that itself"
    monkeypatch.setattr(slices, "SLICE_SECONDS", 60.0)
    actors.audit_slice.fn()
    assert (sent, found()) == ([AUDIT_SLICE], (0, 0, 0, 0))


def test_a_shut_down_worker_ends_after_its_batch(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    """Dramatiq raises in the thread that waits; what is under way in the helper thread comes to its end."""
    due()
    batch = Pause()
    real, compared = slices.batch_compare, []

    def pausing(progress: Progress, of: Any) -> Progress:
        batch(progress)
        compared.append(progress.side)
        return real(progress, of)

    def shut_down(*arguments: Any, **options: Any) -> None:
        batch.wait_reached()
        batch.end()
        raise Shutdown

    monkeypatch.setattr(slices, "batch_compare", pausing)
    monkeypatch.setattr(slices, "wait", shut_down)
    actors.audit_slice.fn()
    assert len(compared) < 3 and sent == [] and last_audit() is None
    assert row().begun_at is not None and row().progress["side"] != "passages"


def test_a_whole_audit_meanwhile_makes_the_one_under_way_needless(
    knowledge: Knowledge, store: TrippingStore, drained: Drained, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge.passages(20)
    drained()
    due()
    one_by_one = BatchByBatch(monkeypatch)
    one_by_one.serve()
    run = state.run_open(hours=1, replica=row().progress["replica"])
    assert run is not None and run.progress.rows == 7
    compare.audit()
    assert state.run_save(run, Progress()) is False
    assert state.run_finish(run, Progress(rows=99)) is False
    assert found() == (20, 20, 0, 0)
    assert serve() is False and len(one_by_one.batches) == 1, "nothing is due"


def test_another_embedder_makes_it_begin_anew(
    knowledge: Knowledge, store: TrippingStore, embedder: WordLlamaEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    knowledge.passages(20)
    due()
    one_by_one = BatchByBatch(monkeypatch)
    one_by_one.serve()
    one_by_one.serve()
    monkeypatch.setattr(embedder, "name", "another")
    one_by_one.serve()
    assert [after is None for _, after in one_by_one.batches] == [True, False, True]


def test_an_outage_is_noted_and_waited_for(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch, sent: list[str]
) -> None:
    compare.audit()
    due()

    def away(*arguments: object) -> None:
        raise StoreUnavailable("Qdrant does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(store, "scroll_ids", away, raising=False)
        assert serve() is False
        last = last_audit()
        assert last is not None and (last.is_complete, last.interruption) == (False, "Qdrant does not answer")
    assert AuditChore().wake_if_due() == 1
    assert serve() is False
    last = last_audit()
    assert last is not None and last.is_complete


def test_a_command_that_stops_half_way_says_so(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare.audit()

    def away(*arguments: object) -> None:
        raise StoreUnavailable("Qdrant does not answer")

    monkeypatch.setattr(store, "scroll_ids", away, raising=False)
    with pytest.raises(Unavailable):
        compare.audit()
    last = last_audit()
    assert last is not None and (last.is_complete, last.interruption) == (False, "Qdrant does not answer")


def test_one_at_a_time(knowledge: Knowledge, store: TrippingStore, in_thread: Callable[..., Side]) -> None:
    due()
    with lock_tried(AUDITOR_LOCK) as is_alone:
        assert is_alone
        assert in_thread(serve).result() is False
        assert last_audit() is None
    assert in_thread(serve).result() is False
    assert found() == (0, 0, 0, 0)


def test_a_fault_must_show_twice(
    knowledge: Knowledge, store: TrippingStore, drained: Drained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica of the store that lags for a moment is no fault."""
    knowledge.passages(20)
    drained()
    existing, looks = store._store.existing, []

    def lagging(ids: list[UUID]) -> set[UUID]:
        looks.append(ids)
        return set() if len(looks) == 1 else existing(ids)

    monkeypatch.setattr(store, "existing", lagging, raising=False)
    due()
    serve()
    assert found() == (20, 20, 0, 0) and len(looks[1]) == 7


@pytest.mark.parametrize("ends_well", [True, False])
def test_an_unclean_end_makes_one_due_at_once(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch, ends_well: bool
) -> None:
    compare.audit()
    AuditState.objects.update(progress={"side": "stale"}, begun_at=timezone.now())
    monkeypatch.setattr(state, "wake_is_due", lambda **_: False)  # the host's first healing would begin the audit
    with monkeypatch.context() as patch:
        if not ends_well:
            patch.setattr(chores, "host_closed", lambda: None)  # the process was killed
        with WorkerHost():
            assert row().hosted_since is not None
    assert (row().hosted_since is None) is ends_well
    with WorkerHost():
        assert (row().due_at is None) is ends_well
        assert (row().begun_at is not None) is ends_well


def test_a_host_that_loses_the_database_still_stops(
    knowledge: Knowledge, store: TrippingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise OperationalError("the server went away")

    with monkeypatch.context() as patch:
        patch.setattr(chores, "host_closed", gone)
        with WorkerHost():
            pass
    with WorkerHost():  # the lock is free
        assert row().due_at is not None


def test_workers_run_it(knowledge: Knowledge, store: TrippingStore, drained: Drained) -> None:
    """From the clock of healing to the row, with nothing patched."""
    knowledge.passages(20)
    drained()
    state.host_opened()
    AuditChore().host_opened()  # the former died
    with WorkerHost():
        until(last_audit, "a worker audits")
    assert found() == (20, 20, 0, 0)


def test_there_is_one_row(db: None) -> None:
    row()
    with pytest.raises(IntegrityError, match="audit_state_once"), connection.cursor() as cursor:
        cursor.execute("UPDATE extraction_auditstate SET id = 2")
