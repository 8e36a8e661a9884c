"""Generated bad input to every route: no failure, no insides shown, refusals in form, memory bounded.

`FUZZ_CASES=500` tries so many cases of each route's schema and every envelope on every route.
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, quote

import psutil
import pytest
import pytest_asyncio
from hypothesis import strategies as st

from tests.security.fuzz.checks import faults
from tests.security.fuzz.envelopes import ENVELOPES, HEAVY, MIB, Envelope, Wrap
from tests.security.fuzz.routes import Fuzzed, fuzzed
from tests.security.fuzz.values import SEED, drawn, like, spoiled, written
from tests.security.hostile.target import Target, things_of
from tests.security.matrix.things import Things, words_of

CASES: Final = int(os.environ.get("FUZZ_CASES", "5"))
ENVELOPES_EACH: Final = len(ENVELOPES) if "FUZZ_CASES" in os.environ else 7
ROUTES: Final = fuzzed()
HEAVY_ON: Final = ("create_run", "log_batch", "create_registered_model", "define_role")
# All services in one process: what bodies of 16 MiB, four at a time, may cost on top.
GROWTH: Final = 384 * MIB
_AT_THE_SAME_TIME: Final = 4
# Streams last for as long as they are asked to.
_ENDLESS: Final = ("listen_to_run", "listen_to_experiment")
# A wrong password is a guess, and guesses are slowed.
_SLOWED: Final = ("put_password", "accept", "join_by_code")
# MLflow reads what is no status as none, whatever its type.
_TOLERATED: Final = (("finalize_logged_model", "status"),)


@dataclass(frozen=True)
class Row:
    """A route, and live things that its sound request names."""

    target: Target
    route: Fuzzed
    things: Things

    def sound(self) -> dict[str, Any]:
        """A sound body; empty where the route takes none or nothing is known of it."""
        body = self.route.ask.body
        return {} if body is None or self.route.kind is None else self.things.body(body)

    async def sent(self, what: str, envelope: Envelope) -> list[str]:
        """What is wrong with the answer to one request."""
        things, route = self.things.with_new_names(), self.route
        target = things.filled(route.ask.path).encode()
        query = envelope.query or things.filled(route.ask.query).encode()
        if route.name in _ENDLESS:
            query = ending(query)
        method = envelope.method or route.method
        whole = target + b"?" + query if query else target
        head = self.target.head(self.target.token, method, whole, envelope.lines)
        answer = await self.target.exchange(head, *envelope.pieces, ends=envelope.ends)
        if answer is not None and answer.status == 429 and route.name in _SLOWED:
            return []
        found = faults(answer, own=route.own, broken=envelope.broken, method=method)
        return [f"{route.name}: {what}: {fault}" for fault in found]


class Memory:
    """How much the services hold, and the most they held meanwhile."""

    def __init__(self, pids: list[int]) -> None:
        self._processes = [psutil.Process(pid) for pid in pids]
        self.before = self.peak = self.now()

    def now(self) -> int:
        """Bytes resident at this moment."""
        return sum(process.memory_info().rss for process in self._processes)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look often while inside."""

        async def look() -> None:
            while True:
                self.peak = max(self.peak, self.now())
                await asyncio.sleep(0.02)

        self.peak = self.now()
        looking = asyncio.create_task(look())
        try:
            yield
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(target: Target) -> Things:
    """Things for the routes that only look."""
    return await things_of(target, target.token)


async def row_of(name: str, target: Target, shared: Things) -> Row:
    """A route with things that it may destroy."""
    route = ROUTES[name]
    own = route.ask.kind == "act"
    made = await things_of(target, target.token, words_of(route.ask)) if own else shared
    return Row(target, route, made)


def ending(query: bytes) -> bytes:
    """The query, so that a stream ends at once which it would ask for."""
    for seconds in parse_qs(query.decode("latin-1"), keep_blank_values=True).get("seconds", ()):
        try:
            float(seconds)
        except ValueError:
            return query
    return query + b"&seconds=0" if query else b"seconds=0"


def json_envelope(body: Mapping[str, Any]) -> Envelope:
    """A well-formed request with a body that may be none."""
    content = written(body).encode()
    lines = ("Content-Type: application/json", f"Content-Length: {len(content)}")
    return Envelope(lines, (content,))


def query_envelope(given: Mapping[str, Any]) -> Envelope:
    """A well-formed request with such a query."""
    pairs = []
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            text = one if isinstance(one, str) else written(one)
            pairs.append(f"{name}={quote(text, safe='', errors='surrogatepass')[:30_000]}")
    return Envelope((), query="&".join(pairs).encode())


def cases_of(row: Row) -> Iterator[tuple[str, Envelope]]:
    """The route's cases: some from its schema, some envelopes."""
    route, sound = row.route, row.sound()
    if route.kind is not None:
        for body in drawn(spoiled(sound, route.kind), CASES, route.name):
            yield written(body)[:300], json_envelope(body)
    if route.query:
        strategy = like_query(route.query)
        for query in drawn(strategy, CASES, route.name):
            made = query_envelope(query)
            yield made.query.decode()[:300], made
    names = random.Random(f"{SEED} {route.name}").sample(sorted(ENVELOPES), ENVELOPES_EACH)
    for name in names:
        yield name, ENVELOPES[name](json.dumps(sound).encode())


def like_query(query: Mapping[str, Any]) -> Any:
    """Queries in which every field may stand."""
    return st.fixed_dictionaries({}, optional={name: like(kind) for name, kind in query.items()})


async def all_of(row: Row, cases: list[tuple[str, Envelope]]) -> list[str]:
    """What is wrong with any of the answers."""
    turns = asyncio.Semaphore(_AT_THE_SAME_TIME)

    async def one(what: str, envelope: Envelope) -> list[str]:
        async with turns:
            return await row.sent(what, envelope)

    return [
        fault for found in await asyncio.gather(*(one(*case) for case in cases)) for fault in found
    ]


@pytest.mark.parametrize("name", sorted(ROUTES))
async def test_bad_input_is_refused_in_form(name: str, target: Target, shared: Things) -> None:
    row = await row_of(name, target, shared)
    found = await all_of(row, list(cases_of(row)))
    assert not found, "\n".join(found)
    await works(target, shared)


def wrong(sound: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """A sound body with one field of a type that it cannot be, one after the other."""
    for name, value in sound.items():
        bad: Any = {"a": 1} if not isinstance(value, Mapping) else [5]
        yield name, {**sound, name: bad}


@pytest.mark.parametrize("name", sorted(n for n, r in ROUTES.items() if r.kind and r.ask.body))
async def test_a_refusal_names_the_field_that_is_wrong(
    name: str, target: Target, shared: Things
) -> None:
    # Nothing is destroyed by what is refused.
    row = Row(target, ROUTES[name], shared)
    ask = row.route.ask
    for field, body in wrong(row.sound()):
        if (name, field) in _TOLERATED:
            continue
        answer = await target.ask(
            target.token, row.route.method, row.things.filled(ask.path), body=body
        )
        assert answer.status == 400, (field, answer)
        # MLflow speaks of one experiment_id where a list is empty, and names fields in snake case.
        said = answer.body.decode().replace("_", "").lower()
        assert field.removesuffix("s").replace("_", "").lower() in said, (field, answer)


@pytest.mark.parametrize("what", HEAVY)
async def test_large_bodies_cost_bounded_memory(
    what: str, target: Target, shared: Things, memory: Memory
) -> None:
    rows = [await row_of(name, target, shared) for name in HEAVY_ON]
    wrap: Wrap = HEAVY[what]
    async with memory.watched():
        found = await asyncio.gather(
            *(row.sent(what, wrap(json.dumps(row.sound()).encode())) for row in rows)
        )
    assert not any(found), found
    await works(target, shared)
    assert memory.peak - memory.before < GROWTH, (memory.before // MIB, memory.peak // MIB)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def memory(target: Target, shared: Things) -> Memory:
    """What the services hold before they get anything large."""
    await works(target, shared)
    return Memory(target.deployment.pids)


async def works(target: Target, things: Things) -> None:
    """A good request is answered well."""
    query = things.filled("run_id=<run>")
    answer = await target.ask(target.token, "GET", "/api/2.0/mlflow/runs/get", query)
    assert answer.status == 200, answer
