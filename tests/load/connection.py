"""One connection of a load generator: asks, waits, reads the answer, and is free again."""

import asyncio
from typing import Any, Protocol, cast

from tests.load.answers import AnswerReader, Malformed
from tests.load.tally import Tally


class Crew(Protocol):
    """All connections of a load, as one of them sees it."""

    tally: Tally

    def opened(self, connection: "Connection") -> None:
        """There is one more."""
        ...

    def free(self, connection: "Connection") -> None:
        """It waits for nothing: it may be asked, kept or closed."""
        ...

    def answered(self, status: int, body: bytes, known: Any, since: float) -> None:
        """An answer came to what was asked; `known` and `since` are what `ask` was given."""
        ...

    def lost(self, connection: "Connection", *, waiting: bool) -> None:
        """It has ended, with a request under way or without."""
        ...


class Connection(asyncio.Protocol):
    """Has one request under way at a time."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._reader = AnswerReader()
        self._transport: asyncio.Transport | None = None
        self._known: Any = None
        self._since = 0.0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are such by what they do, not by their class.
        self._transport = cast("asyncio.Transport", transport)
        self._crew.opened(self)
        self._crew.free(self)

    def ask(self, request: bytes, known: Any, since: float) -> None:
        """Send a request, whose latency counts from `since`."""
        assert self._transport is not None
        self._known, self._since, self._waiting = known, since, True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        try:
            answer = self._reader.feed(data)
        except Malformed as problem:
            tally = self._crew.tally
            tally.example = tally.example or str(problem)
            self._transport.abort()
            return
        if answer is None:
            return
        self._waiting = False
        self._crew.answered(answer.status, answer.body, self._known, self._since)
        if answer.closes:
            self._transport.close()
        else:
            self._crew.free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._crew.lost(self, waiting=self._waiting)

    def close(self) -> None:
        """Hang up."""
        assert self._transport is not None
        self._transport.close()

    def abandon(self) -> None:
        """Hang up without waiting for the answer."""
        assert self._transport is not None
        self._transport.abort()
