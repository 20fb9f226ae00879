"""Applying one claimed batch to the store, with no transaction open and never on a lease about to run out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from extraction.vectors import outbox, points
from extraction.vectors.embedding import Embedder, EmbedderRejected, EmbedderUnavailable, EmbedderUnknown
from extraction.vectors.outbox import Batch
from extraction.vectors.points import IndexedRow
from extraction.vectors.stores.base import StoreRejected, StoreUnavailable, VectorStore

REFUSALS = (StoreRejected, EmbedderRejected)
OUTAGES = (StoreUnavailable, EmbedderUnavailable, EmbedderUnknown)

#: A write may be several requests to a server: the points, the list of collections, the others of those.
WRITE_TIMEOUTS = 3


def write_seconds(store: VectorStore) -> float:
    """Return the longest that one write may take."""
    return WRITE_TIMEOUTS * store.timeout_seconds


@dataclass(slots=True)
class Applied:
    """What became of a batch so far; see `drain.DrainReceipt`."""

    removed: int = 0
    repeated: int = 0
    outdated: int = 0
    failed: int = 0
    turned: int = 0
    lost: int = 0


class Applying:
    """One batch on its way into the store; without an embedder its changes are deletes."""

    def __init__(self, batch: Batch, store: VectorStore, embedder: Embedder | None) -> None:
        self.applied = Applied()
        self._batch = batch
        self._store = store
        self._embedder = embedder

    def run(self) -> None:
        """Apply the batch; changes still open afterwards were not applied. Raises: one of OUTAGES."""
        if self._embedder is None:
            self._apply(sorted(self._batch.open, key=outbox.BY_VALUE), self._delete)
            return
        rows = points.rows_load(sorted(self._batch.open))
        vanished = [id for id in self._batch.open if id not in rows]
        self.applied.turned += outbox.changes_turn(self._batch, vanished)
        self._apply(sorted(rows), partial(self._upsert, rows, self._embedder))

    def _apply(self, ids: Sequence[UUID], write: Callable[[Sequence[UUID]], None]) -> None:
        """Write the changes; where they are refused, halve them until the culprits stand alone."""
        try:
            write(ids)
        except REFUSALS as error:
            if len(ids) == 1:
                self.applied.failed += outbox.changes_fail(self._batch, ids, error=error.detail)
                return
            for part in _suspects_apart(ids, error):
                self._apply(part, write)
            return
        finished = outbox.changes_finish(self._batch, ids)
        self.applied.removed += finished.removed
        self.applied.repeated += finished.repeated
        self.applied.outdated += finished.outdated
        self.applied.lost += finished.lost

    def _upsert(self, rows: dict[UUID, IndexedRow], embedder: Embedder, ids: Sequence[UUID]) -> None:
        made = points.points_make([rows[id] for id in ids], embedder)
        still_held = self._sending(ids)
        if still_held:
            self._store.upsert([point for point in made if point.id in still_held])

    def _delete(self, ids: Sequence[UUID]) -> None:
        still_held = self._sending(ids)
        if still_held:
            self._store.delete([id for id in ids if id in still_held])

    def _sending(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return the changes whose write may begin now; the lease is prolonged where it would not suffice."""
        if self._batch.remaining_seconds <= write_seconds(self._store):
            open_before = len(self._batch.open)
            outbox.batch_renew(self._batch)
            self.applied.lost += open_before - len(self._batch.open)
            if self._batch.remaining_seconds <= write_seconds(self._store):
                return set()  # renewing took longer than a lease: given back unsent
        held = {id for id in ids if id in self._batch.open}
        self._batch.sent |= held
        return held


def _suspects_apart(ids: Sequence[UUID], error: StoreRejected | EmbedderRejected) -> list[Sequence[UUID]]:
    """Return the parts to try: the named suspects one by one and the others, else two halves."""
    suspects = set(getattr(error, "ids", ())) & set(ids)
    if suspects and len(suspects) < len(ids):
        return [[id for id in ids if id not in suspects], *([id] for id in ids if id in suspects)]
    middle = len(ids) // 2
    return [ids[:middle], ids[middle:]]
