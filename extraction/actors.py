"""The Dramatiq actors that keep the vectors up to date, which is control work, and compare them with the rows."""

import logging
import threading

import dramatiq
from dramatiq.middleware import Shutdown

from extraction.audit.chore import AUDIT_SLICE
from extraction.vectors.chore import DRAIN_VECTORS
from jobs.messages.names import CONTROL_QUEUE, WORK_QUEUE
from jobs.messages.send import actor_send

log = logging.getLogger(__name__)

_draining = threading.Lock()


@dramatiq.actor(  # limits in milliseconds
    actor_name=DRAIN_VECTORS, queue_name=CONTROL_QUEUE, max_retries=0, time_limit=600_000, max_age=60_000
)
def drain_vectors() -> None:
    """Bring the vector store up to date with the rows, and serve the audits that were asked for.

    One drain a process is enough, since it goes on until nothing is due; a second would only take a control
    thread away from healing and cleanups.
    """
    # Imported here: every process declares the actors, few run them, and the store takes a second to load.
    from extraction.audit import requests
    from extraction.vectors import drain

    if not _draining.acquire(blocking=False):
        return
    try:
        requests.request_if_collection_is_new()
        if not drain.drain_vectors().unavailable:
            requests.requests_serve()
    finally:
        _draining.release()


# notify_shutdown: it ends after its batch of ids, and goes on there with the next worker.
@dramatiq.actor(
    actor_name=AUDIT_SLICE,
    queue_name=WORK_QUEUE,
    max_retries=0,
    time_limit=600_000,  # ms
    max_age=600_000,  # ms
    notify_shutdown=True,
)
def audit_slice() -> None:
    """Go on with the background audit, if one is due, for as long as a slice of work lasts."""
    from extraction.audit import slices  # imported here as above

    try:
        if slices.slice_run():
            actor_send(AUDIT_SLICE)
    except Shutdown:
        log.info("audit_stopped_by_shutdown")
