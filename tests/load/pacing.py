"""An open loop: requests leave when they are due, whether or not those before them were answered.

A latency counts from the moment a request was due, so that a server that stalls is charged for
everything that had to wait meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

from tests.load.connection import Connection
from tests.load.generator import PATIENCE_SECONDS, Workload
from tests.load.tally import Tally

_TICK_SECONDS: Final = 0.001
# So many connections are opened at a time.
_OPENED_AT_ONCE: Final = 100


class Schedule:
    """When requests are due: so many a second, evenly, from `began` on for `seconds`."""

    def __init__(self, rate: float, began: float, seconds: float) -> None:
        self.most = int(rate * seconds)
        self._rate = rate
        self._began = began
        self._given = 0

    def due(self, now: float) -> list[float]:
        """The times of the requests that have come due since the last look."""
        until = max(self._given, min(self.most, int((now - self._began) * self._rate) + 1))
        times = [self._began + number / self._rate for number in range(self._given, until)]
        self._given = until
        return times

    @property
    def over(self) -> bool:
        """Whether all have been due."""
        return self._given >= self.most


class Pool:
    """Connections that are used in turn, each for one request at a time, and what they count.

    `closed` counts connections that ended before `leave`.
    """

    def __init__(self, place: tuple[str, int], workload: Workload) -> None:
        self.tally = Tally()
        self.open: set[Connection] = set()
        self.closed = 0
        self._place = place
        self._workload = workload
        self._idle: deque[Connection] = deque()
        self._late: deque[float] = deque()
        self._under_way = 0
        self._leaving = False

    async def connect(self, number: int) -> None:
        """Open so many connections; raises OSError when nobody listens."""
        loop = asyncio.get_running_loop()
        while number > 0:
            some = min(number, _OPENED_AT_ONCE)
            await asyncio.gather(
                *(
                    loop.create_connection(lambda: Connection(self), *self._place)
                    for _ in range(some)
                )
            )
            number -= some

    async def run(
        self, rate: float, seconds: float, watch: Callable[[], None] = lambda: None
    ) -> Tally:
        """Ask at that rate for so long, and wait for the last answers; `watch` is called meanwhile."""
        began = perf_counter()
        schedule = Schedule(rate, began, seconds)
        while not schedule.over:
            for due in schedule.due(perf_counter()):
                self._ask(due)
            watch()
            await asyncio.sleep(_TICK_SECONDS)
        last = perf_counter() + PATIENCE_SECONDS
        while (self._under_way or self._late) and perf_counter() < last and self.open:
            await asyncio.sleep(_TICK_SECONDS)
        self.tally.broken += self._under_way + len(self._late)
        self._late.clear()
        self.tally.seconds = perf_counter() - began
        return self.tally

    async def leave(self) -> None:
        """Close all connections."""
        self._leaving = True
        for connection in list(self.open):
            connection.close()
        while self.open:
            await asyncio.sleep(_TICK_SECONDS)

    def _ask(self, due: float) -> None:
        """Send the next request, or, where no connection is free, when one is."""
        if not self._idle:
            self._late.append(due)
            return
        request, known = self._workload.request()
        self._under_way += 1
        self._idle.popleft().ask(request, known, due)

    def opened(self, connection: Connection) -> None:
        """There is one more."""
        self.open.add(connection)

    def answered(self, status: int, body: bytes, known: Any, since: float) -> None:
        """Judge and count one answer."""
        self._under_way -= 1
        if status != 200 or not self._workload.right(known, body):
            self.tally.note(status, body)
            return
        self.tally.acknowledged += 1
        self.tally.measured += 1
        self.tally.latencies.append(perf_counter() - since)

    def free(self, connection: Connection) -> None:
        """It may be used again; what is late goes first."""
        self._idle.append(connection)
        if self._late:
            self._ask(self._late.popleft())

    def lost(self, connection: Connection, *, waiting: bool) -> None:
        """It has ended, with a request under way or without."""
        self.open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if waiting:
            self._under_way -= 1
            self.tally.broken += 1
        if not self._leaving:
            self.closed += 1


async def paced(
    place: tuple[str, int], workload: Workload, rate: float, seconds: float, connections: int
) -> Tally:
    """An open loop of `rate` requests a second over so many connections."""
    pool = Pool(place, workload)
    await pool.connect(connections)
    try:
        return await pool.run(rate, seconds)
    finally:
        await pool.leave()
