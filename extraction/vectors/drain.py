"""The drain: brings the vector store up to date with the rows, change by change.

Deletes and upserts are two lanes: a delete needs no embedder and never waits for one. Any number of drains may
run side by side. An outage is not raised: the receipt names it, and the changes wait.
"""

import logging
import time
from dataclasses import asdict, dataclass, fields

from extraction.states import VectorOperation
from extraction.vectors import outbox, process_store
from extraction.vectors.apply import OUTAGES, Applying, write_seconds
from extraction.vectors.embedding import Embedder
from extraction.vectors.stores.base import VectorStore

log = logging.getLogger(__name__)

BATCH_CHANGES = {VectorOperation.DELETE: 1000, VectorOperation.UPSERT: 128}
DRAIN_SECONDS = 50.0
OUTAGE_DELAY_SECONDS = 2.0
IDLE_LANE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class DrainReceipt:
    """What a drain did, in changes.

    claimed: taken up, repetitions included. removed: done with. repeated: applied, and due once more because a
    late write may arrive. outdated: a newer change came meanwhile. failed: refused, backing off. turned:
    upserts whose row is gone. lost: leases that ran out. unavailable: why it stopped early, or empty.
    """

    claimed: int = 0
    removed: int = 0
    repeated: int = 0
    outdated: int = 0
    failed: int = 0
    turned: int = 0
    lost: int = 0
    unavailable: str = ""

    def __add__(self, other: "DrainReceipt") -> "DrainReceipt":
        sums = {name: getattr(self, name) + getattr(other, name) for name in _COUNTED}
        return DrainReceipt(**sums, unavailable=self.unavailable or other.unavailable)


_COUNTED = tuple(one.name for one in fields(DrainReceipt) if one.name != "unavailable")


def drain_vectors(*, seconds: float = DRAIN_SECONDS) -> DrainReceipt:
    """Drain both lanes until nothing is due or `seconds` have passed.

    The lanes take turns, so that neither starves; one with nothing due is left out for a second. An outage of the
    embedder stops the upserts only.
    """
    until = time.monotonic() + seconds
    receipt, stopped = DrainReceipt(), set[VectorOperation]()
    next_turn = dict.fromkeys(BATCH_CHANGES, 0.0)
    while (now := time.monotonic()) < until:
        claimed_before = receipt.claimed
        turn = [lane for lane, due_at in next_turn.items() if due_at <= now and lane not in stopped]
        for operation in turn:
            one = drain_once(operation)
            receipt += one
            if one.unavailable:
                stopped.add(operation)
            if not one.claimed:
                next_turn[operation] = now + IDLE_LANE_SECONDS
        if receipt.claimed == claimed_before:
            if len(turn) + len(stopped) >= len(BATCH_CHANGES):
                break
            next_turn = dict.fromkeys(BATCH_CHANGES, 0.0)  # before it ends, both lanes are asked once more
    if receipt.claimed:
        log.info("vectors_drained", extra={"claimed": receipt.claimed, "removed": receipt.removed})
    return receipt


def drain(
    operation: VectorOperation,
    *,
    store: VectorStore | None = None,
    embedder: Embedder | None = None,
    seconds: float = DRAIN_SECONDS,
) -> DrainReceipt:
    """Drain one lane until nothing is due, an outage, or `seconds` have passed."""
    until = time.monotonic() + seconds
    receipt = DrainReceipt()
    while time.monotonic() < until:
        one = drain_once(operation, store=store, embedder=embedder)
        receipt += one
        if not one.claimed or one.unavailable:
            break
    return receipt


def drain_once(
    operation: VectorOperation, *, store: VectorStore | None = None, embedder: Embedder | None = None
) -> DrainReceipt:
    """Claim, apply and end one batch of a lane; return what became of it. Must not run in a transaction.

    store, embedder: those of this process when not given. On any way out, what did not end is given back.
    """
    outbox.require_no_transaction()
    try:
        store = store or process_store.store()
        if operation is VectorOperation.UPSERT:
            embedder = embedder or process_store.embedder()
    except OUTAGES as error:
        return DrainReceipt(unavailable=error.detail)
    seconds = write_seconds(store)
    batch = outbox.changes_claim(
        operation,
        limit=BATCH_CHANGES[operation],
        lease_seconds=max(outbox.LEASE_SECONDS, 2 * seconds),
        grace_seconds=max(outbox.GRACE_SECONDS, 1.5 * seconds),
    )
    if batch is None:
        return DrainReceipt()
    claimed, unavailable = len(batch.open), ""
    applying = Applying(batch, store, embedder)
    try:
        applying.run()
    except OUTAGES as error:
        unavailable = error.detail
        log.warning("vectors_unavailable", extra={"operation": operation, "detail": error.detail})
    finally:
        outbox.changes_release(batch, delay_seconds=OUTAGE_DELAY_SECONDS, error=unavailable)
    return DrainReceipt(claimed=claimed, **asdict(applying.applied), unavailable=unavailable)
