"""Waiting for a condition with a deadline, in place of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

Value = TypeVar("Value")

PAUSE_SECONDS = 0.02


@overload
async def eventually(
    check: Callable[[], Awaitable[Value]], within: float = 5.0, pause: float = PAUSE_SECONDS
) -> Value: ...


@overload
async def eventually(
    check: Callable[[], Value], within: float = 5.0, pause: float = PAUSE_SECONDS
) -> Value: ...


async def eventually(
    check: Callable[[], object], within: float = 5.0, pause: float = PAUSE_SECONDS
) -> object:
    """Poll `check` until it gives something true, and give that.

    `check` may be asynchronous, and may raise while what it looks for is not there yet. After
    `within` seconds raises AssertionError with the last value, from the last exception.
    """
    deadline = time.monotonic() + within
    while True:
        value: object = None
        failure: Exception | None = None
        try:
            answer = check()
            value = await answer if inspect.isawaitable(answer) else answer
        except Exception as error:  # noqa: BLE001 - the last one is raised on below
            failure = error
        if value:
            return value
        if time.monotonic() >= deadline:
            seen = repr(failure) if failure is not None else repr(value)
            raise AssertionError(f"not so within {within} s; last seen: {seen}") from failure
        await asyncio.sleep(pause)
