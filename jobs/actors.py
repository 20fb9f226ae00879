"""The Dramatiq actors: ids in, one service call, nothing else. The ledger retries, never the broker.

Control work has a queue and threads of its own, so that slow hosts never delay it.
"""

import logging
from uuid import UUID

import dramatiq
from dramatiq.middleware import Shutdown

log = logging.getLogger(__name__)

WORK_QUEUE = "work"
CONTROL_QUEUE = "control"


@dramatiq.actor(queue_name=WORK_QUEUE, max_retries=0, time_limit=600_000, notify_shutdown=True)  # ms
def run_slice(lane_id: int) -> None:
    """Serve one lane for one slice."""
    from jobs.worker import runner  # it sends messages itself, through this module

    try:
        runner.slice_run(lane_id=lane_id)
    except Shutdown:
        # Everything in hand is settled or given back; the next worker finds it without a message.
        log.info("slice_stopped_by_shutdown", extra={"lane_id": lane_id})


@dramatiq.actor(queue_name=CONTROL_QUEUE, max_retries=0, time_limit=600_000, max_age=10_000)  # ms
def heal() -> None:
    """Put right what crashes and lost messages left behind."""
    from jobs.worker import healing

    healing.heal()


@dramatiq.actor(queue_name=CONTROL_QUEUE, max_retries=0, time_limit=3_600_000)  # ms
def finish_removal(job_id: str) -> None:
    """Finish the cleanup or delete that was asked of a job."""
    from jobs.control import removal_work

    removal_work.removal_finish(UUID(job_id))
