"""Hands the chunks of a request over to an upload that runs in a task of its own.

The request is read in its own task, so that its end, be it a cut connection or a cancellation,
ends the upload in an orderly way: it is told, aborts what it has begun, and is waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

_Line = asyncio.Queue[bytes | None]


class _Cut(Exception):
    """The chunks ended before their time."""


async def hand_over(
    chunks: AsyncIterator[bytes], upload: Callable[[AsyncIterator[bytes]], Awaitable[object]]
) -> None:
    """Run `upload` on `chunks`, none of them empty; raises what either of the two raises.

    One chunk waits at most: when the upload is slow the request is not read, and its sender waits.
    """
    line: _Line = asyncio.Queue(maxsize=1)
    cut = False

    async def source() -> AsyncIterator[bytes]:
        while chunk := await line.get():
            yield chunk
        if cut:
            raise _Cut

    going = asyncio.ensure_future(upload(source()))
    going.add_done_callback(lambda _: _empty(line))  # lets a waiting put go on
    try:
        async for chunk in chunks:
            if going.done():
                break
            await line.put(chunk)
        if not going.done():
            await line.put(None)
        await asyncio.shield(going)
    except BaseException:
        cut = True
        _empty(line)
        line.put_nowait(None)
        await asyncio.wait([going])
        if not going.cancelled():
            going.exception()
        raise


def _empty(line: _Line) -> None:
    while not line.empty():
        line.get_nowait()
