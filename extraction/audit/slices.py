"""A slice of the background audit: a batch of ids at a time with rests between, one in the whole installation.

It repairs nothing: people should know of the differences first. It works on the queue of ordinary work, so that it
never takes a thread from healing and cleanups, and goes on where the last slice ended, on whichever worker that was.
"""

import logging
import threading
import time
from concurrent.futures import Future, wait

from django.conf import settings
from django.db import connections

from extraction.audit import state
from extraction.audit.compare import batch_compare
from extraction.audit.state import Run
from extraction.vectors import process_store
from extraction.vectors.apply import OUTAGES
from extraction.vectors.stores.base import StoreError, VectorStore
from jobs.postgres.advisory_locks import AUDITOR_LOCK, lock_tried

log = logging.getLogger(__name__)

SLICE_SECONDS = 60.0
SAVE_SECONDS = 2.0
REST_RATIO = 3.0  #: rests between batches, in times of a batch: the audit takes a quarter of a thread
WAIT_SECONDS = 0.25


def slice_run() -> bool:
    """Go on with the audit that is due for a slice of time; return whether there is more to do at once.

    The work is done by a helper thread: Dramatiq interrupts this one by raising in it, and must not break off what
    is under way in the store or the database.
    """
    stopping = threading.Event()
    result: Future[bool] = Future()
    thread = threading.Thread(target=_serve, args=(stopping, result), name="audit", daemon=True)
    thread.start()
    try:
        while not wait([result], timeout=WAIT_SECONDS).done:
            pass
        return result.result()
    finally:
        stopping.set()
        thread.join()


def slice_serve(stopping: threading.Event) -> bool:
    """Compare batches until all are compared, the time is over, or `stopping` is set; return whether to go on at once.

    An outage is noted, and the audit goes on where it was when it is woken again.
    """
    hours = settings.QUARRY.audit_hours
    with lock_tried(AUDITOR_LOCK) as is_alone:
        if not is_alone or not hours:
            return False
        try:
            run = state.run_open(hours=hours, replica=process_store.embedder().name)
            return run is not None and _batches_compare(run, process_store.store(), stopping)
        except (StoreError, *OUTAGES) as error:
            log.warning("audit_postponed", extra={"detail": error.detail})
            state.attempt_interrupted(error.detail)
            return False


def _batches_compare(run: Run, store: VectorStore, stopping: threading.Event) -> bool:
    progress = run.progress
    saved_at = time.monotonic()
    until = saved_at + SLICE_SECONDS
    while not stopping.is_set() and time.monotonic() < until:
        worked_before = progress.seconds
        progress = batch_compare(progress, store)
        if progress.is_done:
            if state.run_finish(run, progress):
                log.info("audit_finished", extra={"rows": progress.rows, "points": progress.points})
            return False
        if time.monotonic() - saved_at > SAVE_SECONDS:
            if not state.run_save(run, progress):
                return False  # somebody audited everything meanwhile
            saved_at = time.monotonic()
        stopping.wait(REST_RATIO * (progress.seconds - worked_before))
    return state.run_save(run, progress) and not stopping.is_set()


def _serve(stopping: threading.Event, result: "Future[bool]") -> None:
    try:
        result.set_result(slice_serve(stopping))
    except BaseException as error:  # noqa: BLE001  handed to the waiting thread, which raises it
        result.set_exception(error)
    finally:
        connections.close_all()
