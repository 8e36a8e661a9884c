"""Background work goes on whatever happens inside it, and ends when it is asked to."""

import asyncio

import pytest

from libs.common import background as module
from libs.common.background import background
from tests.waiting import eventually


class Job:
    """A job that falls over in its own way each time, and then stays."""

    def __init__(self, *ways: BaseException) -> None:
        self.ways = list(ways)
        self.starts = 0
        self.ended = False

    async def run(self) -> None:
        """Fall over, or stay until cancelled."""
        self.starts += 1
        if self.ways:
            raise self.ways.pop(0)
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fallen jobs start again at once."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)


@pytest.mark.parametrize(
    "way", [ValueError("x"), OSError(), TimeoutError(), asyncio.CancelledError(), AssertionError()]
)
async def test_a_job_that_falls_over_is_started_again(way: BaseException) -> None:
    job = Job(way)
    async with background({"job": job.run}):
        await eventually(lambda: job.starts == 2)
    assert job.ended


async def test_a_job_that_returns_is_started_again() -> None:
    returns = asyncio.Event()
    starts = 0

    async def once() -> None:
        nonlocal starts
        starts += 1
        if starts > 1:
            await returns.wait()

    async with background({"job": once}):
        await eventually(lambda: starts == 2)


async def test_one_that_falls_over_does_not_disturb_the_others() -> None:
    fallen, steady = Job(*(ValueError() for _ in range(20))), Job()
    async with background({"fallen": fallen.run, "steady": steady.run}):
        await eventually(lambda: fallen.starts == 21)
        assert steady.starts == 1


async def test_a_job_that_swallows_a_cancellation_is_asked_again() -> None:
    asked = 0

    async def stubborn() -> None:
        nonlocal asked
        while asked < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked += 1
        await asyncio.Event().wait()

    async with asyncio.timeout(10):
        async with background({"stubborn": stubborn}):
            await asyncio.sleep(0)
    assert asked == 2
