"""Slices under a real Dramatiq worker: its messages, and its interrupts raised in the thread."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import TimeLimitExceeded

from jobs import actors
from jobs.control.cancel import job_cancel
from jobs.control.submit import job_submit
from jobs.ledger import lanes
from jobs.messages.names import CONTROL_QUEUE, WORK_QUEUE
from jobs.models import Job, Lane, Project, WorkItem
from jobs.registry import kinds
from jobs.registry.kinds import Claim, JobRef, Outcome
from jobs.states import JobStatus
from jobs.worker import healing
from tests.helpers.factories import Gate, Probe, held_at, lane_id, lane_is_free, states, status_of
from tests.helpers.threads import until

pytestmark = pytest.mark.django_db(transaction=True)
MakeJob = Callable[..., Job]


@pytest.fixture
def worker(broker: StubBroker) -> Iterator[Worker]:
    """A running worker with two threads."""
    running = Worker(broker, worker_timeout=50, worker_threads=2)
    running.start()
    yield running
    running.stop()


def in_flight_with_one_done(probe: Probe, make_job: MakeJob) -> Job:
    """Return a job of which one item is done and fifteen are in flight under the worker."""
    probe.do = held_at(Gate(), but=lambda claim: claim.key == "item-0")
    job = make_job(16)
    probe.wait_started(16)
    until(lambda: states(job) == {"claimed": 15, "done": 1}, "one is settled")
    return job


def test_a_submitted_job_is_worked(project: Project, probe: Probe, worker: Worker, sent: Any) -> None:
    job_id = job_submit(kind="probe", project_id=project.pk, payload={"keys": ["a", "b"]})
    job = Job.objects.get(pk=job_id)
    until(lambda: status_of(job) == "completed", "the job is completed")
    assert states(job) == {"done": 2}
    until(lambda: sent.ended == [None], "the message is done")


def test_a_lost_message_loses_nothing(make_job: MakeJob, probe: Probe, broker: StubBroker) -> None:
    job = make_job(3, status=JobStatus.QUEUED)
    broker.flush_all()
    Lane.objects.update(woken_at=None)
    assert healing.heal().woken == 1
    running = Worker(broker, worker_timeout=50, worker_threads=1)
    running.start()
    until(lambda: status_of(job) == "completed", "the job is completed")
    running.stop()
    assert states(job) == {"done": 3}


def test_a_time_limit_gives_back_what_is_unfinished(make_job: MakeJob, probe: Probe, worker: Worker, sent: Any) -> None:
    sent.time_limit_ms = 1500
    job = in_flight_with_one_done(probe, make_job)
    until(lambda: sent.ended, "the message has ended")
    assert [type(error) for error in sent.ended] == [TimeLimitExceeded]
    assert states(job) == {"done": 1, "pending": 15}
    assert set(WorkItem.objects.values_list("lost_leases", "attempts")) == {(0, 0)}
    assert lane_is_free()
    assert sent.messages[-1] == ("run_slice", (lane_id(),), 5000)


def test_an_interrupt_of_busy_work_comes_through(make_job: MakeJob, probe: Probe, worker: Worker, sent: Any) -> None:
    """Raised inside a running event loop it would end in whatever task is busy, and its item with it."""

    async def work(job: JobRef, claim: Claim) -> Outcome:
        while claim.key != "item-0":
            busy_until = time.monotonic() + 0.05  # longer than a thread may keep the interpreter to itself
            while time.monotonic() < busy_until:
                pass
            await asyncio.sleep(0)
        return kinds.done(claim)

    sent.time_limit_ms = 1500
    probe.do = work
    job = make_job(3)
    until(lambda: sent.ended, "the message has ended")
    assert [type(error) for error in sent.ended] == [TimeLimitExceeded]
    assert states(job) == {"done": 1, "pending": 2}


def test_a_shutdown_gives_back_what_is_unfinished(make_job: MakeJob, probe: Probe, worker: Worker, sent: Any) -> None:
    job = in_flight_with_one_done(probe, make_job)
    worker.stop()
    assert sent.ended == [None]  # a shutdown is no failure of the message
    assert states(job) == {"done": 1, "pending": 15}
    assert set(WorkItem.objects.values_list("lost_leases", "attempts")) == {(0, 0)}
    assert lane_is_free()
    assert status_of(job) == "running"


def test_a_shutdown_before_the_slice_noticed_a_cancel_ends_the_job(
    make_job: MakeJob, probe: Probe, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is released is looked at once more: nobody else would skip it before the next healing."""
    monkeypatch.setattr(lanes, "jobs_stopping", lambda job_ids: [])
    job = in_flight_with_one_done(probe, make_job)
    assert job_cancel(job_id=job.pk).in_flight == 15
    worker.stop()
    assert (status_of(job), states(job)) == ("cancelled", {"done": 1, "skipped": 15})


def test_control_work_has_a_queue_of_its_own(broker: StubBroker) -> None:
    """So that slow hosts never delay a cleanup; and no actor is retried by the broker: the ledger does that."""
    queues = {name: actor.queue_name for name, actor in broker.actors.items()}
    assert queues["run_slice"] == WORK_QUEUE
    assert queues["heal"] == queues["finish_removal"] == CONTROL_QUEUE != WORK_QUEUE
    assert {actor.options["max_retries"] for actor in broker.actors.values()} == {0}
    assert broker.actors["run_slice"].options["notify_shutdown"] is True


def test_heal_runs_as_an_actor(make_job: MakeJob, probe: Probe, worker: Worker) -> None:
    job = make_job(status=JobStatus.CANCELLING)
    actors.heal.send()
    until(lambda: status_of(job) == "cancelled", "the job is healed")
