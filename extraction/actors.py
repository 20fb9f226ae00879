"""The Dramatiq actor that keeps the vectors up to date: control work, in its own queue and threads."""

import threading

import dramatiq

from jobs.actors import CONTROL_QUEUE

_draining = threading.Lock()


@dramatiq.actor(queue_name=CONTROL_QUEUE, max_retries=0, time_limit=600_000, max_age=60_000)  # ms
def drain_vectors() -> None:
    """Bring the vector store up to date with the rows.

    One drain a process is enough, since it goes on until nothing is due; a second would only take a control
    thread away from healing and cleanups.
    """
    from extraction import drain

    if _draining.acquire(blocking=False):
        try:
            drain.drain_vectors()
        finally:
            _draining.release()
