"""Lines of a log name the tenant for whom the work is done, and no other one's."""

import asyncio
from collections.abc import Iterator, MutableMapping
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import structlog
from opentelemetry import trace

from libs.common.bus.broadcast import Broadcast
from libs.common.bus.work import Work
from libs.common.events.envelope import Event, open_event
from libs.common.http.calling import call
from libs.common.http.manners import Limits, Manners
from libs.common.http.types import Receive, Scope, Send
from libs.common.service import Subscription
from libs.common.telemetry.logs import add_tenant, log_tenant, logger, tenant_of_lines
from libs.common.telemetry.tracing import Tracing
from tests.unit.test_common_envelope import THINGS, ThingCreated, sent

Line = MutableMapping[str, Any]


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """What is logged, after the processor under test."""
    found: list[Line] = []

    def keep(_: Any, __: str, event: Line) -> Line:
        found.append(event)
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[add_tenant, keep], cache_logger_on_first_use=False)
    yield found
    structlog.configure(**before)


async def serve(tenant_no: int, turn: asyncio.Event | None = None) -> None:
    """A request of a tenant that logs a line and then fails in a way nobody foresaw."""

    async def app(_: Scope, __: Receive, ___: Send) -> None:
        log_tenant(tenant_no)
        if turn is not None:
            await turn.wait()
        logger("test").info("served", expected=tenant_no)
        raise LookupError

    tracing = Tracing(trace.NoOpTracer(), enabled=False)
    around = Manners(app, service="test", tracing=tracing, limits=Limits(hosts=("*",)))
    assert (await call(around, "GET", "/x")).status == 500


async def test_every_line_of_a_request_names_its_tenant_and_none_after_it(
    lines: list[Line],
) -> None:
    await serve(7)
    logger("test").info("afterwards")
    assert [(one["event"], one.get("tenant_no")) for one in lines] == [
        ("served", 7),
        ("request_failed", 7),
        ("afterwards", None),
    ]


@pytest.mark.parametrize("kind", [Work, Broadcast])
async def test_what_the_handler_of_an_event_logs_names_the_events_tenant(
    lines: list[Line], kind: Any
) -> None:
    heard: list[int] = []

    async def handler(_: Any, event: Event) -> None:
        logger("test").info("handled")
        heard.append(event.tenant_no)

    subscription = Subscription("ears", (THINGS,), {ThingCreated: handler})
    running: Any = SimpleNamespace(name="test", tracing=Tracing(trace.NoOpTracer(), enabled=False))
    body = msgspec.json.encode(ThingCreated(version=3, thing="a"))
    broker: Any = None
    if kind is Work:
        event, work = open_event(THINGS, sent(tenant_no=9), body), Work
        nothing: Any = None
        await work(running, subscription, broker, nothing)._handle(nothing, [event])
    else:
        ears = Broadcast(running, subscription, broker)
        await ears._hear(THINGS.name, sent(tenant_no=9), body)
    logger("test").info("afterwards")
    assert heard == [9]
    assert [one.get("tenant_no") for one in lines] == [9, None]


async def test_requests_at_once_and_one_inside_another_keep_their_own(lines: list[Line]) -> None:
    turn = asyncio.Event()
    served = [asyncio.create_task(serve(number, turn)) for number in range(1, 20)]
    await asyncio.sleep(0)
    turn.set()
    await asyncio.gather(*served)
    told = [one for one in lines if one["event"] == "served"]
    assert len(told) == 19
    assert all(one["tenant_no"] == one["expected"] for one in told)
    with tenant_of_lines(3):
        await serve(4)
        logger("test").info("back")
        logger("test").info("of another", tenant_no=5)
    assert [one["tenant_no"] for one in lines[-4:]] == [4, 4, 3, 5]
