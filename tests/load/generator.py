"""The load generator: kept-alive connections that ask again as soon as they are answered.

A closed loop on one core's event loop: requests come preformatted and answers are looked at
cheaply, so that the machine's cores are left to what is measured.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, cast

from tests.load.answers import AnswerReader, Malformed
from tests.load.tally import Tally

# How long the last requests of a round may take before they count as broken.
PATIENCE_SECONDS = 60.0


# Whether an answer that is not 200 is the one that was due: what was known, its status and body.
Refused = Callable[[Any, int, bytes], bool]


class Workload(Protocol):
    """What is asked: the next request, and whether an answer to it is right."""

    def request(self) -> tuple[bytes, Any]:
        """The bytes of the next request, and what `right` needs to know of it."""
        ...

    def right(self, known: Any, body: bytes) -> bool:
        """Whether `body`, of an answer 200, is what was asked for."""
        ...


@dataclass(frozen=True)
class Span:
    """How long a round takes: `warm_up` seconds unmeasured, then `seconds`.

    Where fewer than `least` answers came by then it goes on for them, up to `most` seconds.
    """

    warm_up: float
    seconds: float
    least: int = 0
    most: float = 0.0


class _Client(asyncio.Protocol):
    """One connection; asks, waits, checks, counts, asks again."""

    def __init__(self, load: "_Load") -> None:
        self._load = load
        self._reader = AnswerReader()
        self._transport: asyncio.Transport | None = None
        self._known: Any = None
        self._asked_at = 0.0
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are such by what they do, not by their class.
        self._transport = cast("asyncio.Transport", transport)
        self._load.clients.add(self)
        if self._load.over:
            self._transport.close()
        else:
            self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        request, self._known = self._load.workload.request()
        self._waiting = True
        self._asked_at = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        try:
            answer = self._reader.feed(data)
        except Malformed as problem:
            self._load.tally.example = self._load.tally.example or str(problem)
            self._transport.abort()
            return
        if answer is None:
            return
        self._waiting = False
        self._load.answered(answer.status, answer.body, self._known, self._asked_at)
        if self._load.over or answer.closes:
            self._transport.close()
        else:
            self._ask()

    def connection_lost(self, _: Exception | None) -> None:
        if self._waiting:
            self._load.tally.broken += 1
        self._load.clients.discard(self)
        self._load.left()

    def abandon(self) -> None:
        """Hang up without waiting for the answer."""
        assert self._transport is not None
        self._transport.abort()


class _Load:
    """All connections of a round and what they count together."""

    def __init__(
        self, place: tuple[str, int], workload: Workload, clients: int, refused: Refused
    ) -> None:
        self.workload = workload
        self._refused = refused
        self.tally = Tally()
        self.over = False
        self.measuring = False
        self.clients: set[_Client] = set()
        self._place = place
        self._open = clients
        self._ended = asyncio.Event()
        self._openings: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Connect every client; raises OSError when nobody listens."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(
                loop.create_connection(lambda: _Client(self), *self._place)
                for _ in range(self._open)
            )
        )

    def answered(self, status: int, body: bytes, known: Any, asked_at: float) -> None:
        """Judge and count one answer."""
        right = (
            self.workload.right(known, body)
            if status == 200
            else self._refused(known, status, body)
        )
        if not right:
            self.tally.note(status, body)
            return
        self.tally.acknowledged += 1
        if self.measuring:
            self.tally.measured += 1
            self.tally.latencies.append(perf_counter() - asked_at)

    def left(self) -> None:
        """A connection has ended: replace it, or, when the round is over, see whether all have."""
        if not self.over:
            opening = asyncio.get_running_loop().create_task(self._again())
            self._openings.add(opening)
            opening.add_done_callback(self._openings.discard)
            return
        self._open -= 1
        if self._open == 0:
            self._ended.set()

    async def _again(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.over:
            try:
                await loop.create_connection(lambda: _Client(self), *self._place)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return
        self.left()

    async def end(self) -> None:
        """Let every client have its last answer; those that wait too long count as broken."""
        self.over = True
        try:
            await asyncio.wait_for(self._ended.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            for client in list(self.clients):
                client.abandon()
            await self._ended.wait()


def never(_: Any, __: int, ___: bytes) -> bool:
    """Refusals are due nowhere."""
    return False


async def drive(
    place: tuple[str, int],
    workload: Workload,
    clients: int,
    span: Span,
    *,
    refused: Refused = never,
) -> Tally:
    """One round against the server at `place`; raises OSError when nobody listens there."""
    load = _Load(place, workload, clients, refused)
    await load.open()
    await asyncio.sleep(span.warm_up)
    began = perf_counter()
    load.measuring = True
    await asyncio.sleep(span.seconds)
    while load.tally.measured < span.least and perf_counter() - began < span.most:
        await asyncio.sleep(0.1)
    load.measuring = False
    load.tally.seconds = perf_counter() - began
    await load.end()
    return load.tally
