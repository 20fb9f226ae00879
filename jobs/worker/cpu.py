"""The two threads for all CPU-bound work of a process.

More would only fight for the interpreter lock and slow down every database round trip of the process.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="cpu")
_running = threading.local()


class Abandoned(Exception):
    """Nothing waits for this work any more: its job was cancelled, or its time is up."""


async def on_cpu(work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
    """Return `work(*args, **kwargs)`, run on one of the two threads; the event loop continues meanwhile.

    When the caller is cancelled, work that waits for a thread never begins, and running work is stopped by its
    next `cancellation_check()`.
    """
    abandoned = threading.Event()

    def run() -> Result:
        _running.abandoned = abandoned
        try:
            return work(*args, **kwargs)
        finally:
            del _running.abandoned

    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, run)
    finally:
        abandoned.set()


def cancellation_check() -> None:
    """Raise Abandoned if nothing waits for the work of this thread any more; call it before each step of long work.

    Where no `on_cpu` is under way, in a test for instance, it does nothing.
    """
    abandoned: threading.Event | None = getattr(_running, "abandoned", None)
    if abandoned is not None and abandoned.is_set():
        raise Abandoned
