"""One thread for a slice's database calls, so that the event loop never waits for PostgreSQL."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connections

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class DatabaseThread:
    """Runs functions one after another on a thread that owns its connection."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    async def __call__(
        self, work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Result:
        """Return `work(*args, **kwargs)`, run on the thread. A cancelled caller does not undo the call."""

        def run() -> Result:
            close_old_connections()  # a connection lost since the last call is replaced
            return work(*args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._executor, run)

    def __enter__(self) -> "DatabaseThread":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.submit(connections.close_all)
        self._executor.shutdown(wait=True)
