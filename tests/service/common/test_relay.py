"""The relay publishes in order a key, one active a service, whatever the broker does meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from opentelemetry import trace

from libs.common.events.envelope import Headers
from libs.common.events.outbox import INSERT
from libs.common.events.relay import BATCH, Relay
from libs.common.telemetry.tracing import Tracing
from tests.service.common.scratch import Scratch, scratch
from tests.waiting import eventually

NO_TRACES = Tracing(trace.NoOpTracer(), enabled=False)
TENANT = UUID(int=5)


class TooLargeError(Exception):
    """The broker does not take this message, whenever it is sent."""


class Broker:
    """A stand-in for the broker that stores what it takes, and can be told what to refuse."""

    def __init__(self) -> None:
        self.stored: list[tuple[str, int]] = []
        self.publishers: list[str] = []
        self.refuse_at_once: dict[str, int] = {}
        self.fail_late: dict[str, int] = {}
        self.away = 0

    async def publish(
        self, topic: str, key: bytes, value: bytes, headers: Headers
    ) -> Awaitable[object]:
        """Take a message, or refuse it as told."""
        name = key.decode().partition("/")[2]
        version = int(dict(headers)["ce_sequence"])
        if self.away > 0:
            self.away -= 1
            raise ConnectionRefusedError("the broker is away")
        if self.refuse_at_once.get(name, 0) > 0:
            self.refuse_at_once[name] -= 1
            raise TooLargeError(name)
        return self._store(name, version)

    async def _store(self, name: str, version: int) -> object:
        await asyncio.sleep(0)
        if self.fail_late.get(name, 0) > 0:
            self.fail_late[name] -= 1
            raise TooLargeError(name)
        self.stored.append((name, version))
        return version

    async def has(self, name: str, version: int) -> None:
        """Wait until a fact is stored."""
        await eventually(lambda: (name, version) in self.stored, pause=0.005)

    def versions(self) -> dict[str, list[int]]:
        """What is stored of each key, in its order, redelivered ones left out."""
        found: dict[str, list[int]] = defaultdict(list)
        for name, version in self.stored:
            if version not in found[name]:
                found[name].append(version)
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def schema(platform_environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Scratch]:
    """A schema with an outbox and nothing else."""
    async with scratch(platform_environment, tmp_path) as made:
        await made.migrate()
        yield made


async def record(schema: Scratch, facts: list[tuple[str, int]]) -> None:
    """Commit facts to the outbox, each a key and a version."""
    async with schema.connected("app") as connection:
        await connection.execute(
            INSERT,
            [uuid4() for _ in facts],
            ["shelf.thing.v1"] * len(facts),
            ["shelf.thing.changed"] * len(facts),
            [name for name, _ in facts],
            [version for _, version in facts],
            ["{}"] * len(facts),
            TENANT,
            5,
            "ann",
            "",
        )


async def unpublished(schema: Scratch) -> int:
    """How many facts wait in the outbox."""
    async with schema.connected("relay") as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        )
        return found


@asynccontextmanager
async def relaying(schema: Scratch, broker: Broker) -> AsyncIterator[Relay]:
    """A relay at work."""
    relay = Relay(schema.name, schema.url("relay"), broker.publish, NO_TRACES)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def only(schema: Scratch, waiting: int, within: float = 15) -> None:
    """Wait until just so many facts wait in the outbox."""

    async def so_many() -> bool:
        return await unpublished(schema) == waiting

    await eventually(so_many, within=within)


async def all_told(schema: Scratch) -> None:
    """Wait until nothing waits in the outbox."""
    await only(schema, 0)


FACTS = [(name, version) for version in range(1, 6) for name in ("a", "b", "c")]
IN_ORDER = {"a": [1, 2, 3, 4, 5], "b": [1, 2, 3, 4, 5], "c": [1, 2, 3, 4, 5]}


async def test_facts_are_told_in_their_order(schema: Scratch) -> None:
    broker = Broker()
    await record(schema, FACTS)
    async with relaying(schema, broker):
        await all_told(schema)
    assert broker.stored == FACTS


async def test_nothing_overtakes_a_fact_that_was_refused(schema: Scratch) -> None:
    broker = Broker()
    broker.refuse_at_once = {"b": 2}
    await record(schema, FACTS)
    async with relaying(schema, broker):
        await all_told(schema)
    assert broker.versions() == IN_ORDER


async def test_a_fact_that_fails_late_is_told_again_with_those_behind_it(schema: Scratch) -> None:
    broker = Broker()
    broker.fail_late = {"b": 1}
    await record(schema, FACTS)
    async with relaying(schema, broker):
        await all_told(schema)
    told = broker.versions()
    assert (told["a"], told["c"]) == (IN_ORDER["a"], IN_ORDER["c"])
    # Those behind went out with it; what counts is that they come again, after it.
    last_seen = [version for name, version in broker.stored if name == "b"][-5:]
    assert last_seen == IN_ORDER["b"]


async def test_a_broker_that_is_away_is_waited_for(schema: Scratch) -> None:
    broker = Broker()
    broker.away = 3
    await record(schema, FACTS)
    async with relaying(schema, broker):
        await all_told(schema)
    assert broker.stored == FACTS


async def test_wake_ups_do_not_make_it_ask_a_broker_that_is_away_all_the_time(
    schema: Scratch,
) -> None:
    broker = Broker()
    broker.away = 10**9
    await record(schema, FACTS)
    clock = asyncio.get_running_loop().time
    async with relaying(schema, broker) as relay:
        await eventually(lambda: broker.away < 10**9)
        begun = clock()
        while clock() - begun < 1.5:
            relay.wake()
            await asyncio.sleep(0.001)
    assert 10**9 - broker.away < 15


async def test_a_fact_that_nobody_takes_holds_up_its_own_key_only(schema: Scratch) -> None:
    broker = Broker()
    broker.refuse_at_once = {"b": 10**9}
    await record(schema, FACTS)
    async with relaying(schema, broker) as relay:
        await eventually(lambda: len(broker.stored) >= 10)
        await record(schema, [("a", 6)])
        relay.wake()
        await broker.has("a", 6)
        await only(schema, 5)


async def test_however_many_facts_nobody_takes_the_others_go_on(schema: Scratch) -> None:
    broker = Broker()
    broker.refuse_at_once = {f"stuck-{number}": 10**9 for number in range(BATCH + 100)}
    await record(schema, [(name, 1) for name in broker.refuse_at_once])
    await record(schema, [("a", 1)])
    async with relaying(schema, broker):
        await broker.has("a", 1)
        await only(schema, BATCH + 100)


async def test_of_two_replicas_one_is_active_and_the_other_takes_over(schema: Scratch) -> None:
    first, second = Broker(), Broker()
    async with relaying(schema, second):
        async with relaying(schema, first):
            for version in range(1, 20):
                await record(schema, [("a", version)])
                if version == 10:
                    await all_told(schema)
            await all_told(schema)
            active, standing_by = (first, second) if first.stored else (second, first)
            assert active.stored == [("a", version) for version in range(1, 20)]
            assert standing_by.stored == []
        await record(schema, [("a", 20), ("a", 21)])
        await all_told(schema)
    told = [*first.stored, *second.stored]
    assert sorted(told) == [("a", version) for version in range(1, 22)]


async def test_a_relay_whose_connection_is_cut_comes_back(schema: Scratch) -> None:
    broker = Broker()
    async with relaying(schema, broker):
        await record(schema, [("a", 1)])
        await all_told(schema)
        async with schema.connected("relay") as connection:
            cut = await connection.fetch(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = current_user AND pid <> pg_backend_pid()"
            )
        assert len(cut) == 1
        await record(schema, [("a", 2)])
        await all_told(schema)
    assert broker.stored == [("a", 1), ("a", 2)]


async def test_a_write_at_a_replica_that_stands_by_is_told_at_once(
    schema: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither looks by itself within this test: what is told was told for being woken, also when
    # the next write comes while the last wake-up is being passed on.
    monkeypatch.setattr("libs.common.events.relay.POLL_SECONDS", 600.0)
    monkeypatch.setattr("libs.common.events.relay.NOTIFY_SECONDS", 0.3)
    broker = Broker()
    await record(schema, [("a", 1)])
    async with relaying(schema, broker):
        await broker.has("a", 1)
        async with relaying(schema, broker) as standing_by:
            for version in range(2, 8):
                await record(schema, [("a", version)])
                standing_by.wake()
                await broker.has("a", version)


@pytest.mark.parametrize("statement", ["UPDATE outbox SET payload = 'x'", "DELETE FROM outbox"])
async def test_the_relay_may_mark_facts_and_nothing_else(schema: Scratch, statement: str) -> None:
    await record(schema, [("a", 1)])
    async with schema.connected("relay") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
