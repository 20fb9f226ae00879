"""Work on the two CPU threads: it ends soon after nobody waits for it any more."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from jobs.worker.cpu import Abandoned, cancellation_check, on_cpu
from tests.helpers.factories import PATIENCE_SECONDS


class Steps:
    """Long work of many steps that checks before each, and goes on until it is abandoned or told to end."""

    all_of_them: ClassVar[list["Steps"]] = []

    def __init__(self) -> None:
        self.all_of_them.append(self)
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.ended = threading.Event()
        self.raised: list[type[BaseException]] = []

    def __call__(self) -> str:
        self.began.set()
        try:
            while not self.may_end.wait(0.001):
                cancellation_check()
            return "whole"
        except BaseException as error:
            self.raised.append(type(error))
            raise
        finally:
            self.ended.set()


async def _begun(work: Steps) -> "asyncio.Task[str]":
    task = asyncio.create_task(on_cpu(work))
    assert await asyncio.to_thread(work.began.wait, PATIENCE_SECONDS)
    return task


def _run(story: Callable[[], Any]) -> None:
    try:
        asyncio.run(asyncio.wait_for(story(), 2 * PATIENCE_SECONDS))
    finally:
        for work in Steps.all_of_them:  # the threads are free again, whatever went wrong
            work.may_end.set()


def test_the_result_and_the_error_come_back() -> None:
    async def story() -> None:
        assert await on_cpu(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await on_cpu(divmod, 7, 0)

    _run(story)


def test_work_that_nobody_waits_for_ends_at_its_next_step() -> None:
    async def story() -> None:
        work = Steps()
        task = await _begun(work)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(work.ended.wait, PATIENCE_SECONDS)
        assert work.raised == [Abandoned]

    _run(story)


def test_work_that_takes_too_long_ends_as_well() -> None:
    async def story() -> None:
        work = Steps()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await on_cpu(work)
        assert await asyncio.to_thread(work.ended.wait, PATIENCE_SECONDS)
        assert work.raised == [Abandoned]

    _run(story)


def test_work_that_still_waits_for_a_thread_never_begins() -> None:
    async def story() -> None:
        busy = [Steps(), Steps()]
        tasks = [await _begun(work) for work in busy]
        late = Steps()
        waiting = asyncio.create_task(on_cpu(late))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        for work in busy:
            work.may_end.set()
        assert await asyncio.gather(*tasks) == ["whole", "whole"]
        assert await on_cpu(divmod, 7, 2) == (3, 1)  # whatever waited before this has had its turn
        assert not late.began.is_set()

    _run(story)


def test_one_abandoned_work_does_not_stop_the_next_on_its_thread() -> None:
    async def story() -> None:
        for _ in range(4):
            work = Steps()
            (await _begun(work)).cancel()
            assert await asyncio.to_thread(work.ended.wait, PATIENCE_SECONDS)
        work = Steps()
        task = await _begun(work)
        work.may_end.set()
        assert await task == "whole"

    _run(story)


def test_elsewhere_a_check_does_nothing() -> None:
    cancellation_check()
