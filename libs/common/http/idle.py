"""Waiting with a limit that costs nothing where there is nothing to wait for."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Within(Generic[T]):
    """`await Within(awaitable, seconds)`: its value; TimeoutError when it takes longer.

    What is there at once is given at once, without a timer: a small body has mostly come before
    anybody asks for it, and `asyncio.timeout` costs more than reading such a body does.
    """

    __slots__ = ("_awaitable", "_seconds")

    def __init__(self, awaitable: Awaitable[T], seconds: float) -> None:
        self._awaitable = awaitable
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._awaitable.__await__()
        try:
            waited_for = next(steps)
        except StopIteration as ended:
            value: T = ended.value
            return value
        return (yield from self._in_time(_Rest(waited_for, steps)).__await__())

    async def _in_time(self, rest: "_Rest[T]") -> T:
        async with asyncio.timeout(self._seconds):
            return await rest


class _Rest(Generic[T]):
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
