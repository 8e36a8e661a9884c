"""Limits by plan: which apply to what, what a refusal says, bodies, and the brake on a flood."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from libs.common.errors import Refusal
from libs.common.http.types import Message
from services.gateway.limits.bodies import MOST_READ_AHEAD, Recognised, within_plan
from services.gateway.limits.brake import AT_ONCE
from services.gateway.limits.limits import Limits, Over
from services.gateway.limits.shared import SharedWindows
from services.gateway.limits.strangers import MOST_ADDRESSES, MOST_FAILURES, Strangers
from services.gateway.routes import (
    ARTIFACT,
    LIVE,
    READ,
    RUNNING,
    SEARCH,
    WRITE,
    Work,
    route_of,
    work_of,
)
from services.gateway.settings import Settings
from tests.unit.gateway_doubles import Clock
from tests.unit.limit_doubles import holder, plan


def limits(platform_rps: int = 0, processes: int = 1, **numbers: int) -> Limits:
    """Limits of this process, which is one of so many."""
    tested = {"tested": plan(**numbers), "free": plan(principal_rps=1)}
    return Limits(SharedWindows(None), Settings(platform_rps=platform_rps), tested, processes)


@pytest.mark.parametrize(
    ("method", "path", "work"),
    [
        ("GET", "/api/2.0/mlflow/runs/get", READ),
        ("POST", "/api/2.0/mlflow/runs/create", WRITE),
        ("POST", "/api/2.0/mlflow/runs/search", SEARCH),
        ("GET", "/api/2.0/mlflow/registered-models/search", SEARCH),
        ("POST", "/ajax-api/2.0/mlflow/experiments/search-datasets", SEARCH),
        ("GET", "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval", SEARCH),
        ("POST", "/api/2.0/mlflow/registered-models/get-latest-versions", READ),
        ("DELETE", "/api/2.0/mlflow/registered-models/alias", WRITE),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/search", ARTIFACT),
        ("GET", "/get-artifact", ARTIFACT),
        ("POST", "/api/maestro/v1/tokens", WRITE),
        ("GET", "/api/maestro/v1/runs/1/events", LIVE),
        ("GET", "/api/maestro/v1/experiments/1/events", LIVE),
        ("POST", "/api/maestro/v1/runs/1/events", WRITE),
        ("GET", "/api/maestro/v1/tokens/events", READ),
        *(
            ("POST", f"/api/2.0/mlflow/runs/{last}", RUNNING)
            for last in ("log-metric", "log-batch", "log-parameter", "set-tag", "update")
        ),
        *(
            ("POST", f"/api/2.0/mlflow/runs/{last}", RUNNING)
            for last in ("log-inputs", "outputs", "log-model", "delete-tag")
        ),
        ("POST", "/api/2.0/mlflow/experiments/update", WRITE),
        ("POST", "/api/2.0/mlflow/model-versions/set-tag", WRITE),
        ("POST", "/api/2.0/mlflow/runs/delete", WRITE),
    ],
)
def test_every_route_has_its_class(method: str, path: str, work: Work) -> None:
    route = route_of(path)
    assert route is not None
    assert work_of(route, method, path) == work


@pytest.mark.parametrize(
    ("numbers", "work", "tier"),
    [
        ({"tenant_rps": 1}, READ, "tenant"),
        ({"principal_rps": 1}, READ, "principal"),
        ({"read_rps": 1}, READ, "read"),
        ({"write_rps": 1}, WRITE, "write"),
        ({"search_rps": 1}, SEARCH, "search"),
        ({"artifact_rps": 1}, ARTIFACT, "artifact"),
        ({"platform_rps": 1}, READ, "platform"),
    ],
)
async def test_each_tier_refuses_and_says_so(
    numbers: dict[str, int], work: Work, tier: str
) -> None:
    made = limits(**numbers)
    needs = made.needs(holder(), work)
    await made.enter(needs)
    with pytest.raises(Over) as over:
        await made.enter(needs)
    assert (over.value.status, over.value.code) == (429, "RESOURCE_EXHAUSTED")
    assert over.value.retry_after in {1, 2}
    assert f"({tier})" in over.value.message
    assert "1 requests a second" in over.value.message
    assert dict(needs.headers(over.value.blocked))[b"ratelimit"] == f'"{tier}";r=0;t=1'.encode()


async def test_tenants_and_principals_are_apart_and_classes_too() -> None:
    made = limits(principal_rps=1, search_rps=1)
    await made.enter(made.needs(holder("user:1"), SEARCH))
    await made.enter(made.needs(holder("user:1", tenant_no=2), SEARCH))
    with pytest.raises(Over, match="search"):
        await made.enter(made.needs(holder("user:2"), SEARCH))
    await made.enter(made.needs(holder("user:2"), READ))


async def test_a_plan_that_is_not_known_is_the_smallest() -> None:
    made = limits()
    needs = made.needs(holder(of="of a later release"), READ)
    await made.enter(needs)
    with pytest.raises(Over, match="principal"):
        await made.enter(needs)


async def test_places_are_counted_and_given_back() -> None:
    made = limits(concurrent=2)
    needs = made.needs(holder(), READ)
    assert dict(needs.headers())[b"ratelimit"] == b'"concurrent";r=2'
    for _ in range(2):
        await made.enter(needs)
    with pytest.raises(Over, match="2 requests at the same time"):
        await made.enter(made.needs(holder("user:2"), WRITE))
    made.leave(needs)
    await made.enter(needs)


async def test_of_several_processes_each_has_its_share_of_the_places() -> None:
    made = limits(concurrent=5, processes=2)
    needs = made.needs(holder(), READ)
    for _ in range(3):
        await made.enter(needs)
    with pytest.raises(Over, match="requests at the same time"):
        await made.enter(needs)


async def test_listeners_have_places_of_their_own() -> None:
    made = limits(concurrent=1, listeners=2, read_rps=100)
    listening, reading = made.needs(holder(), LIVE), made.needs(holder(), READ)
    for _ in range(2):
        await made.enter(listening)
    assert dict(listening.headers())[b"ratelimit-policy"].endswith(
        b'"listeners";q=2;qu="concurrent-requests"'
    )
    with pytest.raises(Over, match=r"\(listeners\).* 2 streams of live events") as over:
        await made.enter(made.needs(holder("user:2"), LIVE))
    assert dict(listening.headers(over.value.blocked))[b"ratelimit"] == b'"listeners";r=0;t=1'
    # However long they listen, nobody else waits for them.
    await made.enter(reading)
    with pytest.raises(Over, match="1 requests at the same time"):
        await made.enter(reading)
    made.leave(listening)
    await made.enter(listening)
    made.leave(reading)
    await made.enter(reading)


async def test_who_floods_gets_refusals_late_and_others_at_once() -> None:
    made = limits(principal_rps=1)
    flooding, calm = (made.needs(holder(tenant_no=number), READ) for number in (1, 2))
    await made.enter(flooding)
    began = time.monotonic()
    for _ in range(AT_ONCE):
        with pytest.raises(Over):
            await made.enter(flooding)
    assert time.monotonic() - began < 0.5
    held = [asyncio.create_task(made.enter(flooding)) for _ in range(50)]
    began = time.monotonic()
    await made.enter(calm)
    with pytest.raises(Over):
        await made.enter(calm)
    assert time.monotonic() - began < 0.5
    assert not any(task.done() for task in held)
    answers = await asyncio.gather(*held, return_exceptions=True)
    assert time.monotonic() - began >= 0.5
    assert all(answer is None or isinstance(answer, Over) for answer in answers)


def test_an_address_that_keeps_failing_is_stopped_for_a_while_and_others_are_not() -> None:
    clock = Clock()
    strangers = Strangers(clock)
    for _ in range(MOST_FAILURES):
        strangers.check("10.0.0.1")
        strangers.failed("10.0.0.1")
    with pytest.raises(Refusal) as refused:
        strangers.check("10.0.0.1")
    assert (refused.value.status, refused.value.retry_after) == (429, 61)
    strangers.check("10.0.0.2")
    strangers.check("")
    clock.now += 61
    strangers.check("10.0.0.1")


def test_an_ipv6_host_does_not_escape_into_its_network_and_memory_is_bounded() -> None:
    strangers = Strangers(Clock())
    for number in range(MOST_FAILURES):
        strangers.failed(f"2001:db8::{number:x}")
    with pytest.raises(Refusal):
        strangers.check("2001:db8::ffff")
    for number in range(3 * MOST_ADDRESSES):
        strangers.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(strangers._failures) == MOST_ADDRESSES


class Coming:
    """A body that comes in pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.asked = 0

    async def __call__(self) -> Message:
        """The next piece."""
        self.asked += 1
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}


def sized(length: int) -> Sequence[tuple[bytes, bytes]]:
    """The header of a body of that length."""
    return [(b"content-length", str(length).encode())]


async def test_the_same_request_is_recognised_and_still_whole() -> None:
    names = set()
    for pieces in ((b"abc", b"def"), (b"ab", b"cdef")):
        body = Recognised(Coming(*pieces), sized(6), "user:1 /path")
        names.add(await body.identity())
        names.add(await body.identity())
        assert b"".join([(await body())["body"], (await body())["body"]]) == b"abcdef"
    assert len(names) == 1
    for other, name in ((b"abcdeg", "user:1 /path"), (b"abcdef", "user:2 /path")):
        names.add(await Recognised(Coming(other), sized(6), name).identity())
    assert len(names) == 3


async def test_a_large_body_is_not_read_ahead() -> None:
    coming = Coming(b"x")
    await Recognised(coming, sized(MOST_READ_AHEAD + 1), "a").identity()
    await Recognised(coming, [(b"transfer-encoding", b"chunked")], "a").identity()
    assert coming.asked == 0


async def test_a_body_is_bounded_by_the_plan_declared_or_not() -> None:
    small = plan(body_bytes=5)
    with pytest.raises(Refusal, match="5 bytes that the plan 'tested' allows") as refused:
        within_plan(Coming(), sized(6), small)
    assert refused.value.status == 413
    chunked = [(b"transfer-encoding", b"chunked")]
    body = within_plan(Coming(b"abc", b"de", b"f"), chunked, small)
    assert [(await body())["body"] for _ in range(2)] == [b"abc", b"de"]
    with pytest.raises(Refusal):
        await body()
    assert await within_plan(Coming(b"abcdef"), chunked, plan())() is not None
