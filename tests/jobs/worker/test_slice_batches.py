"""How many finished items a slice settles at a time while others are still at work."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from jobs.ledger import settle
from jobs.models import Job
from jobs.registry.kinds import Outcome
from jobs.worker import runner, slice
from jobs.worker.slice import SETTLE_BATCH
from tests.helpers.factories import Gate, Probe, held_at, lane_id, states
from tests.helpers.threads import Side, until

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]
InThread = Callable[..., Side]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many items each settle wrote; none is due because of the time."""
    sizes: list[int] = []
    real = settle.outcomes_settle

    def counted(job_id: UUID, outcomes: Sequence[Outcome]) -> Any:
        sizes.append(len(outcomes))
        return real(job_id, outcomes)

    monkeypatch.setattr(settle, "outcomes_settle", counted)
    monkeypatch.setattr(slice, "SETTLE_AFTER_SECONDS", 3600.0)
    return sizes


def test_a_full_batch_is_settled_while_an_item_is_still_at_work(
    make_job: MakeJob, probe: Probe, in_thread: InThread, batches: list[int]
) -> None:
    gate = Gate()
    probe.in_hand, probe.do = SETTLE_BATCH + 1, held_at(gate, but=lambda claim: claim.key != "item-0")
    job = make_job(SETTLE_BATCH + 1)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    until(lambda: states(job) == {"done": SETTLE_BATCH, "claimed": 1}, "a batch is settled beside the slow item")
    gate.open()
    assert side.result() == SETTLE_BATCH + 1
    assert batches == [SETTLE_BATCH, 1]


def test_less_than_a_batch_is_settled_with_the_last_item(
    make_job: MakeJob, probe: Probe, in_thread: InThread, batches: list[int]
) -> None:
    gate = Gate()
    probe.in_hand, probe.do = SETTLE_BATCH, held_at(gate, but=lambda claim: claim.key != "item-0")
    make_job(SETTLE_BATCH)
    side = in_thread(runner.slice_run, lane_id=lane_id())
    probe.wait_started(SETTLE_BATCH)
    gate.open()
    assert side.result() == SETTLE_BATCH
    assert batches == [SETTLE_BATCH]
