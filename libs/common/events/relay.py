"""The message relay: publishes outbox rows in order a key, marks them, one active a service.

Woken in memory by the process that committed, by NOTIFY from its replicas, and by a slow poll.
It holds a direct connection of its own, because advisory locks and LISTEN are of a session.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

import asyncpg

from libs.common.database.world import WORLD_ERRORS
from libs.common.events.envelope import Headers, headers
from libs.common.failpoints import reach
from libs.common.telemetry.logs import logger
from libs.common.telemetry.metrics import (
    FACTS_PUBLISHED,
    OUTBOX_DELAY,
    OUTBOX_FAILURES,
    RELAY_ACTIVE,
)
from libs.common.telemetry.tracing import Tracing, current_traceparent

BATCH: Final = 500
POLL_SECONDS: Final = 1.0
# Under load facts gather between two passes; a lone one is published at once.
PASS_SECONDS: Final = 0.01
NOTIFY_SECONDS: Final = 0.02
FIRST_PAUSE_SECONDS: Final = 0.05
ROTATE_SECONDS: Final = 3600.0
ROTATE_AGAIN_SECONDS: Final = 60.0
_LOCK_CLASS: Final = 0x4D52  # "MR"
_log = logger(__name__)

_UNPUBLISHED: Final = """
SELECT seq, event_id, topic, type, key, tenant::text, tenant_no, subject, version, payload,
       traceparent, recorded_at
FROM outbox WHERE published_at IS NULL AND seq > $2 ORDER BY seq LIMIT $1
"""
_MARK: Final = "UPDATE outbox SET published_at = now() WHERE seq = ANY($1) AND published_at IS NULL"


class Publish(Protocol):
    """Hands one message to the broker; the future resolves when it is stored there."""

    def __call__(
        self, topic: str, key: bytes, value: bytes, headers: Headers
    ) -> Awaitable[Awaitable[object]]: ...


class Relay:
    """The relay of one service in this process; `run` never returns, `wake` may come any time."""

    def __init__(self, service: str, url: str, publish: Publish, tracing: Tracing) -> None:
        self._service = service
        self._url = url
        self._publish = publish
        self._tracing = tracing
        self._woken = asyncio.Event()
        self._rotate_at = 0.0
        # Looking a label up costs more than all else that is done with a fact here.
        self._delay = OUTBOX_DELAY.labels(service)

    def wake(self) -> None:
        """Something was committed here."""
        self._woken.set()

    async def run(self) -> None:
        """Relay while this process is the active one, stand by while it is not; forever."""
        delay = 0.1
        while True:
            try:
                await self._session()
                delay = 0.1
            except WORLD_ERRORS as problem:
                _log.warning("relay_lost_database", service=self._service, error=repr(problem))
            except Exception:  # noqa: BLE001 - logged, and the loop goes on
                _log.exception("relay_failed", service=self._service)
            finally:
                RELAY_ACTIVE.labels(self._service).set(0)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 2.0)

    async def _session(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            timeout=5,
            command_timeout=30,
            server_settings={
                "search_path": self._service,
                "application_name": f"maestro-{self._service}-relay",
                "tcp_keepalives_idle": "15",
                "tcp_keepalives_interval": "5",
                "tcp_keepalives_count": "3",
            },
        )
        try:
            await self._stand_by(connection)
            RELAY_ACTIVE.labels(self._service).set(1)
            await connection.add_listener(self._channel, self._on_notify)
            pause = FIRST_PAUSE_SECONDS
            while True:
                self._woken.clear()
                await self._rotate(connection)
                began = time.monotonic()
                moved, waiting = await self._pass(connection)
                if waiting:  # a wake-up would not help, and may come a thousand times a second
                    await asyncio.sleep(pause)
                    pause = FIRST_PAUSE_SECONDS if moved else min(pause * 2, POLL_SECONDS)
                elif not moved:
                    await self._wait(POLL_SECONDS)
                else:
                    await asyncio.sleep(began + PASS_SECONDS - time.monotonic())
        finally:
            connection.terminate()

    async def _stand_by(self, connection: asyncpg.Connection) -> None:
        """Wait for the lock; meanwhile pass wake-ups on to whoever holds it."""
        while not await connection.fetchval(
            "SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCK_CLASS, self._service
        ):
            if await self._wait(POLL_SECONDS):
                self._woken.clear()  # at once: what wakes it from here on is passed on next
                await connection.execute("SELECT pg_notify($1, '')", self._channel)
                await asyncio.sleep(NOTIFY_SECONDS)

    @property
    def _channel(self) -> str:
        return f"maestro_{self._service}_outbox"

    def _on_notify(self, *_: object) -> None:
        self._woken.set()

    async def _wait(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _pass(self, connection: asyncpg.Connection) -> tuple[int, int]:
        """Go through all that waits, from the oldest; how much moved, how many keys must wait.

        What cannot be sent holds up its own key and nothing else, however much of it there is.
        """
        moved, after = 0, 0
        stopped: set[tuple[str, str, str]] = set()
        while rows := await connection.fetch(_UNPUBLISHED, BATCH, after):
            after = rows[-1]["seq"]
            reach("relay.before-publish")
            sent, failure = await self._send_all(rows, stopped)
            done = await self._stored(sent, stopped)
            reach("relay.after-publish")
            if done:
                await connection.execute(_MARK, done)
            moved += len(done)
            if isinstance(failure, OSError) or len(rows) < BATCH:
                break
        if stopped:
            _log.info("keys_wait", service=self._service, keys=len(stopped), moved=moved)
        return moved, len(stopped)

    async def _send_all(
        self, rows: Sequence[asyncpg.Record], stopped: set[tuple[str, str, str]]
    ) -> tuple[list[tuple[asyncpg.Record, Awaitable[object]]], BaseException | None]:
        """Hand rows to the broker; nothing overtakes a row of its key that was not taken."""
        sent: list[tuple[asyncpg.Record, Awaitable[object]]] = []
        for row in rows:
            if _key(row) in stopped:
                continue
            try:
                sent.append((row, await self._send(row)))
            except Exception as problem:  # noqa: BLE001 - any failure stops the key, not the relay
                self._stop(row, problem, stopped)
                if isinstance(problem, OSError):  # the broker is away: the others need not try
                    return sent, problem
        return sent, None

    async def _stored(
        self,
        sent: Sequence[tuple[asyncpg.Record, Awaitable[object]]],
        stopped: set[tuple[str, str, str]],
    ) -> list[int]:
        """Wait until the broker has stored what was sent; which rows it has."""
        results = await asyncio.gather(*(future for _, future in sent), return_exceptions=True)
        done: list[int] = []
        topics: Counter[str] = Counter()
        now = time.time()
        for (row, _), result in zip(sent, results, strict=True):
            if isinstance(result, BaseException):
                self._stop(row, result, stopped)
            elif _key(row) not in stopped:
                done.append(row["seq"])
                topics[row["topic"]] += 1
                self._delay.observe(max(0.0, now - row["recorded_at"].timestamp()))
        for topic, count in topics.items():
            FACTS_PUBLISHED.labels(self._service, topic).inc(count)
        return done

    def _stop(
        self, row: asyncpg.Record, problem: BaseException, stopped: set[tuple[str, str, str]]
    ) -> None:
        if not stopped:  # one line a pass: where the broker is away, everything waits
            _log.warning("fact_waits", topic=row["topic"], seq=row["seq"], error=repr(problem))
        stopped.add(_key(row))
        OUTBOX_FAILURES.labels(self._service, row["topic"]).inc()

    async def _send(self, row: asyncpg.Record) -> Awaitable[object]:
        with self._tracing.span(
            f"publish {row['topic']}",
            parent=row["traceparent"],
            attributes={"messaging.system": "kafka", "messaging.destination.name": row["topic"]},
        ) as span:
            return await self._publish(
                row["topic"],
                f"{row['tenant']}/{row['key']}".encode(),
                row["payload"].encode(),
                self._headers(row, span),
            )

    def _headers(self, row: asyncpg.Record, span: object) -> Headers:
        return headers(
            event_id=row["event_id"],
            type_name=row["type"],
            service=self._service,
            key=row["key"],
            tenant=row["tenant"],
            tenant_no=row["tenant_no"],
            subject=row["subject"],
            version=row["version"],
            time=row["recorded_at"].isoformat(),
            traceparent=current_traceparent() if span else row["traceparent"],
        )

    async def _rotate(self, connection: asyncpg.Connection) -> None:
        if time.monotonic() < self._rotate_at:
            return
        try:
            await connection.execute("SELECT rotate_events(4, 14)")
            self._rotate_at = time.monotonic() + ROTATE_SECONDS
        except asyncpg.LockNotAvailableError:
            # Somebody reads the outbox; partitions for days ahead are there, so this can wait.
            self._rotate_at = time.monotonic() + ROTATE_AGAIN_SECONDS


def _key(row: asyncpg.Record) -> tuple[str, str, str]:
    """What a row keeps its order with."""
    return row["topic"], row["tenant"], row["key"]
