"""The two threads that parsing, extracting and embedding share.

More would only fight for the interpreter lock and slow down every database round trip of the process.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="cpu")


async def on_cpu(work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
    """Return `work(*args, **kwargs)`, run on one of the two threads; the event loop goes on meanwhile."""
    return await asyncio.get_running_loop().run_in_executor(_threads, lambda: work(*args, **kwargs))
