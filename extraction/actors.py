"""The Dramatiq actor that keeps the vectors up to date: control work, in its own queue and threads."""

import dramatiq

from jobs.actors import CONTROL_QUEUE


@dramatiq.actor(queue_name=CONTROL_QUEUE, max_retries=0, time_limit=600_000, max_age=60_000)  # ms
def drain_vectors() -> None:
    """Bring the vector store up to date with the rows."""
    from extraction import drain

    drain.drain_vectors()
