"""A pipelined connection to Redis: what many requests ask at once goes out together, in order.

A reader waits for Redis a few hundredths of a second and no longer. A command that must arrive is
waited for up to a second; then the connection is given up, and the command is sent again, before
anything else, on the next one. Everything is told in periods of a timer and not by a clock, so that
a pause of this process does not count as silence of Redis.
"""

import asyncio
import ssl
from collections import deque
from functools import partial
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from libs.common.telemetry.logs import logger
from services.tracking.kept.replies import Reply, ReplyError, next_reply

PERIOD_SECONDS: Final = 0.025
READER_PERIODS: Final = 2
LONGEST_PERIODS: Final = 40
CONNECT_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 1.0
MOST_OWED: Final = 2_000
_PORT: Final = 6379
_log = logger(__name__)


class Away:
    """Stands for a reply that did not come."""


AWAY: Final = Away()
Answer = asyncio.Future[Reply | Away]


class Link:
    """One connection after the other to the Redis at `url`; without a URL it is always away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._line: _Line | None = None
        self._since = 0.0
        self._owed: deque[bytes] = deque(maxlen=MOST_OWED)

    @property
    def unbroken(self) -> float:
        """Seconds for which the connection has held, 0 while there is none."""
        if self._line is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._since

    def ask(self, *words: bytes) -> Answer:
        """A command whose reply is worth a short wait only."""
        if self._line is None or self._line.late:
            return _away()
        return self._line.ask(command(words), patient=False)

    async def deliver(self, *words: bytes) -> None:
        """A command that must arrive: returns when it has, or when the connection is given up.

        It is on its way before anything is waited for, so a caller that is cancelled has sent it.
        """
        if not self._url:
            return
        told = command(words)
        if self._line is None:
            self._owed.append(told)
            return
        await asyncio.shield(self._told(self._line, told))

    def _told(self, line: "_Line", told: bytes) -> Answer:
        answer = line.ask(told, patient=True)
        answer.add_done_callback(partial(self._owe, told))
        return answer

    def _owe(self, told: bytes, answer: Answer) -> None:
        if isinstance(answer.result(), Away):
            self._owed.append(told)

    async def run(self) -> None:
        """Keep the connection up; forever."""
        said = False
        while True:
            try:
                line = await self._connected()
            except (OSError, TimeoutError) as problem:
                if not said:
                    _log.warning("run_cache_away", error=repr(problem))
                    said = True
            else:
                said = False
                await self._hold(line)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _hold(self, line: "_Line") -> None:
        owed, self._owed = self._owed, deque(maxlen=MOST_OWED)
        for told in owed:
            self._told(line, told)
        self._line, self._since = line, asyncio.get_running_loop().time()
        try:
            await line.lost
            _log.warning("run_cache_lost")
        finally:
            self._line = None
            line.give_up()

    async def _connected(self) -> "_Line":
        url = urlsplit(self._url)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_SECONDS):
            if url.scheme == "unix":
                _, line = await loop.create_unix_connection(_Line, unquote(url.path))
            else:
                encrypted = ssl.create_default_context() if url.scheme == "rediss" else None
                _, line = await loop.create_connection(
                    _Line, url.hostname or "localhost", url.port or _PORT, ssl=encrypted
                )
        try:
            for words in _greeting(self._url):
                if isinstance(await line.ask(command(words), patient=True), Away):
                    raise ConnectionRefusedError("Redis does not let us in")
        except BaseException:
            line.give_up()
            raise
        return line


class _Line(asyncio.Protocol):
    """One connection, and the commands on it that are not answered yet."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._in = b""
        self._due: deque[tuple[Answer, int, bool]] = deque()
        self._period = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def late(self) -> bool:
        """Whether a reply is overdue already, so that one more question would only wait."""
        return bool(self._due) and self._period - self._due[0][1] >= READER_PERIODS

    def ask(self, told: bytes, *, patient: bool) -> Answer:
        """Send a command with all others of this turn of the loop."""
        if self.lost.done():
            return _away()
        answer: Answer = self._loop.create_future()
        self._due.append((answer, self._period, patient))
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(told)
        if self._timer is None:
            self._timer = self._loop.call_later(PERIOD_SECONDS, self._look)
        return answer

    def give_up(self) -> None:
        """Close it; what is not answered is away."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.lost.done():
            self.lost.set_result(None)
        for answer, _period, _patient in self._due:
            _settle(answer, AWAY)
        self._due.clear()

    def data_received(self, data: bytes) -> None:
        self._in = self._in + data if self._in else data
        at = 0
        try:
            while (found := next_reply(self._in, at)) is not None:
                reply, at = found
                _settle(self._due.popleft()[0], reply)
        except (ReplyError, ValueError, IndexError) as problem:
            # Whoever is refused, or read in a muddle, must not believe that a command was done.
            _log.warning("run_cache_refused", error=str(problem))
            self.give_up()
            return
        self._in = self._in[at:]

    def _flush(self) -> None:
        told, self._out = b"".join(self._out), []
        if self._transport is not None:
            self._transport.write(told)

    def _look(self) -> None:
        self._period += 1
        self._timer = None
        if not self._due or self.lost.done():
            return
        self._timer = self._loop.call_later(PERIOD_SECONDS, self._look)
        if self._period - self._due[0][1] >= LONGEST_PERIODS:
            self.give_up()
            return
        for answer, since, patient in self._due:
            if self._period - since < READER_PERIODS:
                break
            if not patient:
                _settle(answer, AWAY)


def command(words: tuple[bytes, ...]) -> bytes:
    """A command in Redis' protocol."""
    parts = [b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n%b" % (len(words), b"".join(parts))


def _greeting(url: str) -> list[tuple[bytes, ...]]:
    parts = urlsplit(url)
    words: list[tuple[bytes, ...]] = []
    if parts.password:
        who = [parts.username] if parts.username else []
        words.append((b"AUTH", *(unquote(word).encode() for word in [*who, parts.password])))
    number = "" if parts.scheme == "unix" else parts.path.strip("/")
    words.append((b"SELECT", (number or "0").encode()))
    return words


def _away() -> Answer:
    answer: Answer = asyncio.get_running_loop().create_future()
    answer.set_result(AWAY)
    return answer


def _settle(answer: Answer, reply: Reply | Away) -> None:
    # One that nobody waits for any longer is done already.
    if not answer.done():
        answer.set_result(reply)
