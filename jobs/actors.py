"""The Dramatiq actors: each takes ids and calls one service. The ledger retries, the broker never does."""

import logging
from uuid import UUID

import dramatiq
from dramatiq.middleware import Shutdown

from jobs.control import removal_work
from jobs.messages.names import CONTROL_QUEUE, FINISH_REMOVAL, HEAL, RUN_SLICE, WORK_QUEUE
from jobs.worker import healing, runner

log = logging.getLogger(__name__)


@dramatiq.actor(  # limits in milliseconds
    actor_name=RUN_SLICE, queue_name=WORK_QUEUE, max_retries=0, time_limit=600_000, notify_shutdown=True
)
def run_slice(lane_id: int) -> None:
    """Serve one lane for one slice."""
    try:
        runner.slice_run(lane_id=lane_id)
    except Shutdown:
        # All claims are settled or released by now; the next worker finds the items without a message.
        log.info("slice_stopped_by_shutdown", extra={"lane_id": lane_id})


@dramatiq.actor(actor_name=HEAL, queue_name=CONTROL_QUEUE, max_retries=0, time_limit=600_000, max_age=10_000)
def heal() -> None:
    """Repair what crashes and lost messages left behind."""
    healing.heal()


@dramatiq.actor(actor_name=FINISH_REMOVAL, queue_name=CONTROL_QUEUE, max_retries=0, time_limit=3_600_000)
def finish_removal(job_id: str) -> None:
    """Finish the cleanup or delete that was requested for a job."""
    removal_work.removal_finish(UUID(job_id))
