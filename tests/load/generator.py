"""The load generator: kept-alive connections that ask again as soon as they are answered.

A closed loop on one core's event loop: requests come preformatted and answers are looked at
cheaply, so that the machine's cores are left to what is measured.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from tests.load.connection import Connection
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


class _Load:
    """All connections of a round and what they count together."""

    def __init__(
        self, place: tuple[str, int], workload: Workload, clients: int, refused: Refused
    ) -> None:
        self._workload = workload
        self._refused = refused
        self.tally = Tally()
        self.over = False
        self.measuring = False
        self._clients: set[Connection] = set()
        self._place = place
        self._open = clients
        self._ended = asyncio.Event()
        self._openings: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Connect every client; raises OSError when nobody listens."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(
            *(
                loop.create_connection(lambda: Connection(self), *self._place)
                for _ in range(self._open)
            )
        )

    def opened(self, connection: Connection) -> None:
        """There is one more."""
        self._clients.add(connection)

    def free(self, connection: Connection) -> None:
        """Ask again, as long as the round lasts."""
        if self.over:
            connection.close()
            return
        request, known = self._workload.request()
        connection.ask(request, known, perf_counter())

    def answered(self, status: int, body: bytes, known: Any, since: float) -> None:
        """Judge and count one answer."""
        right = (
            self._workload.right(known, body)
            if status == 200
            else self._refused(known, status, body)
        )
        if not right:
            self.tally.note(status, body)
            return
        self.tally.acknowledged += 1
        if self.measuring:
            self.tally.measured += 1
            self.tally.latencies.append(perf_counter() - since)

    def lost(self, connection: Connection, *, waiting: bool) -> None:
        """It has ended, with a request under way or without: replace it while the round lasts."""
        self.tally.broken += waiting
        self._clients.discard(connection)
        self._left()

    def _left(self) -> None:
        """One is fewer: replace it, or, when the round is over, see whether all have left."""
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
                await loop.create_connection(lambda: Connection(self), *self._place)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return
        self._left()

    async def end(self) -> None:
        """Let every client have its last answer; those that wait too long count as broken."""
        self.over = True
        try:
            await asyncio.wait_for(self._ended.wait(), PATIENCE_SECONDS)
        except TimeoutError:
            for client in list(self._clients):
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
