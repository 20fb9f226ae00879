"""Runs one slice of a lane on a Dramatiq worker thread.

The event loop lives in a helper thread while the worker thread waits with a short time-out: Dramatiq
interrupts a thread by raising in it, and an exception raised inside a running loop's thread is swallowed.
"""

import asyncio
import logging
import threading
from concurrent.futures import Future, wait

from django.db import connection

from jobs.ledger import lanes
from jobs.messages.names import RUN_SLICE
from jobs.messages.send import actor_send
from jobs.worker.database_thread import DatabaseThread
from jobs.worker.slice import NEAR_SECONDS, Slice

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.25
STOP_SECONDS = 30.0
MAX_DELAY_SECONDS = 600.0


def slice_run(*, lane_id: int) -> int:
    """Serve the lane for one slice; return how many items were settled, 0 if another slice serves it."""
    taken = lanes.lane_take(lane_id)
    if taken is None:
        return 0
    key, lease = taken
    pause_seconds = NEAR_SECONDS  # a slice that failed is not tried again at once, over and over
    try:
        with DatabaseThread() as database:
            settled = _run_in_helper_thread(Slice(lane_id, key, lease, database))
        pause_seconds = 0.0
        return settled
    finally:
        connection.close_if_unusable_or_obsolete()  # it was idle; PostgreSQL may have restarted
        lanes.lane_release(lane_id, lease)
        _wake_again(lane_id, pause_seconds)


def _run_in_helper_thread(work: Slice) -> int:
    result: Future[int] = Future()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=_serve, args=(loop, work, result), name=f"slice-{work.lane_id}", daemon=True)
    thread.start()
    try:
        while not wait([result], timeout=WAIT_SECONDS).done:
            pass
        return result.result()
    finally:  # also when Dramatiq interrupts: its exceptions are not of class `Exception`
        if not result.done():
            loop.call_soon_threadsafe(work.stop)
        thread.join(timeout=STOP_SECONDS)
        if thread.is_alive():
            log.error("slice_hangs", extra={"lane": work.lane_key})


def _serve(loop: asyncio.AbstractEventLoop, work: Slice, result: "Future[int]") -> None:
    try:
        result.set_result(loop.run_until_complete(work.run()))
    except BaseException as error:  # noqa: BLE001  handed to the waiting thread, which raises it
        result.set_exception(error)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _wake_again(lane_id: int, pause_seconds: float) -> None:
    """Check once more after releasing the lane: a wake-up that came meanwhile was dropped."""
    due = lanes.lane_due_in_seconds(lane_id)
    if due is None:
        return
    if due <= NEAR_SECONDS and not pause_seconds:
        actor_send(RUN_SLICE, lane_id)
    else:
        actor_send(RUN_SLICE, lane_id, delay_seconds=min(max(due, pause_seconds), MAX_DELAY_SECONDS))
