"""One trace from the gateway to the last consumer, read where a collector would read it."""

import asyncio
import gzip
import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from libs.common.http.types import Receive, Scope, Send
from libs.embedded import Parts
from tests.deployments import Deployment, deployed
from tests.listening import listening
from tests.waiting import eventually

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"


@dataclass(frozen=True)
class Span:
    """One span, its ids in hex."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    links: frozenset[str]
    attributes: dict[str, str]


@dataclass
class Receiver:
    """An OTLP/HTTP endpoint that keeps what it is sent."""

    spans: list[Span] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        packed = dict(scope["headers"]).get(b"content-encoding") == b"gzip"
        self.spans += spans_in(gzip.decompress(body) if packed else body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def of_trace(self, service: str, name: str) -> list[Span]:
        """The spans of our trace by one service whose name begins so."""
        return [
            span
            for span in self.spans
            if span.trace == TRACE and span.service == service and span.name.startswith(name)
        ]


def spans_in(body: bytes) -> Iterator[Span]:
    """The spans of one export request."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        named = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=named["service.name"],
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links=frozenset(link.span_id.hex() for link in span.links),
                    attributes={pair.key: pair.value.string_value for pair in span.attributes},
                )


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traced(
    fresh_parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Deployment, Receiver]]:
    """A process for each service, all of them reporting to one receiver."""
    receiver = Receiver()
    logs: Path = tmp_path_factory.mktemp("traced")
    async with listening(receiver) as url:
        environment = {**fresh_parts.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": url}
        async with deployed(environment, logs, separate=True) as deployment:
            yield deployment, receiver


def create_run(deployment: Deployment) -> str:
    """Start a run as a client that is traced itself; its id."""
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{deployment.url}/api/2.0/mlflow/runs/create",
        data=json.dumps({"experiment_id": "0", "start_time": 1}).encode(),
        headers={
            "Authorization": f"Bearer {deployment.token}",
            "Content-Type": "application/json",
            "traceparent": f"00-{TRACE}-{CALLER}-01",
        },
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        found: str = json.load(answer)["run"]["info"]["run_id"]
    return found


async def test_one_trace_leads_from_the_gateway_to_the_last_consumer(
    traced: tuple[Deployment, Receiver],
) -> None:
    deployment, receiver = traced
    run_id = await asyncio.to_thread(create_run, deployment)
    assert len(run_id) == 32

    (consumed,) = await eventually(
        lambda: receiver.of_trace("registry", "registry.runs tracking.run.created"), within=30
    )
    await eventually(lambda: receiver.of_trace("auth", "auth.audit tracking.run.created"), 30)
    (gateway,) = await eventually(lambda: receiver.of_trace("gateway", "gateway "), 30)
    (request,) = await eventually(lambda: receiver.of_trace("tracking", "tracking create_run"), 30)
    # The relay's span ends after the request's, so it may come with a later export.
    (publish,) = await eventually(
        lambda: receiver.of_trace("tracking", "publish tracking.run.v1"), within=30
    )
    statements = receiver.of_trace("tracking", "SQL")
    effects = receiver.of_trace("registry", "SQL")

    assert gateway.parent == CALLER
    assert request.parent == gateway.id
    assert publish.attributes["messaging.destination.name"] == "tracking.run.v1"
    assert publish.parent == request.id
    assert consumed.parent == publish.id
    assert request.id in {span.parent for span in statements}
    assert consumed.id in {span.parent for span in effects}
    await eventually(
        lambda: [
            batch
            for batch in receiver.spans
            if batch.name == "registry.runs batch" and publish.id in batch.links
        ],
        within=30,
    )
    # The run was made in a flush, with what others might have asked for.
    (flush,) = receiver.of_trace("tracking", "group commit")
    (made,) = [span for span in statements if span.parent == flush.id]
    assert flush.parent == request.id
    assert "create_sections" in made.attributes["db.query.text"]
    texts = " ".join(span.attributes["db.query.text"] for span in statements)
    assert run_id not in texts, "a span tells statements, never values"
