"""Waits for one thing after another, none of them for long, at no cost where nothing is waited for.

A small body has mostly come before anybody asks for it, and `asyncio.timeout` costs more than
reading such a body does; a large one is thousands of waits.
"""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Patience:
    """`await patience.within(awaitable)`: its value; TimeoutError when it takes over `seconds`.

    One wait at a time. One timer looks at when the present wait began, as moving a timer at
    every wait would cost more than the waits.
    """

    __slots__ = ("_seconds", "_since", "_timer", "_waiting")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Timeout | None = None

    def within(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """Wait for it; what is there at once is given at once."""
        return _Wait(awaitable.__await__(), self)

    def end(self) -> None:
        """There will be no more waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def endure(self, rest: Awaitable[T]) -> T:
        """Wait for what was not there at once."""
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)
        async with asyncio.timeout(None) as timeout:
            self._waiting = timeout
            try:
                return await rest
            finally:
                self._waiting = None

    def _look(self) -> None:
        self._timer = None
        if self._waiting is None:
            return
        loop = asyncio.get_running_loop()
        now, due = loop.time(), self._since + self._seconds
        if now >= due:
            self._waiting.reschedule(now)
        else:
            self._timer = loop.call_at(due, self._look)


class _Wait(Awaitable[T]):
    """A wait whose first step is taken here; only if that leaves something, it takes patience."""

    __slots__ = ("_patience", "_steps")

    def __init__(self, steps: Generator[Any, Any, T], patience: Patience) -> None:
        self._steps = steps
        self._patience = patience

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            waited_for = next(self._steps)
        except StopIteration as ended:
            value: T = ended.value
            return value
        rest = _Rest(waited_for, self._steps)
        return (yield from self._patience.endure(rest).__await__())


class _Rest(Awaitable[T]):
    """The rest of a wait whose first step was taken and gave what is waited for."""

    __slots__ = ("_steps", "_waited_for")

    def __init__(self, waited_for: Any, steps: Generator[Any, Any, T]) -> None:
        self._waited_for = waited_for
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, T]:
        waited_for = self._waited_for
        try:
            while True:
                try:
                    sent = yield waited_for
                except BaseException as problem:  # noqa: BLE001 - it is for the one who waits
                    waited_for = self._steps.throw(problem)
                else:
                    waited_for = self._steps.send(sent)
        except StopIteration as ended:
            value: T = ended.value
            return value
