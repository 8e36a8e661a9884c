"""OpenTelemetry traces: one tracer a service, W3C trace context over HTTP, outbox and topics."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_PROPAGATOR = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class Tracing:
    """A service's tracer; `enabled` is False where no collector is named, and spans cost nothing.

    `provider` is flushed and shut down by `close`.
    """

    tracer: Tracer
    enabled: bool
    provider: TracerProvider | None = None

    def close(self) -> None:
        """Send what is still buffered and stop."""
        if self.provider is not None:
            self.provider.shutdown()

    @contextmanager
    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: str = "",
        links: Iterable[str] = (),
        attributes: Mapping[str, str | int] | None = None,
    ) -> Iterator[Span | None]:
        """A span around the block; `parent` and `links` are `traceparent` header values."""
        if not self.enabled:
            yield None
            return
        with self.tracer.start_as_current_span(
            name,
            context=_context_of(parent) if parent else None,
            kind=kind,
            links=[link for traceparent in links for link in _link_to(traceparent)],
            attributes=dict(attributes or {}),
        ) as span:
            yield span


def open_tracing(service: str, env: Mapping[str, str]) -> Tracing:
    """The tracing of `service`: by OTLP when OTEL_EXPORTER_OTLP_ENDPOINT is set, else off.

    OTEL_TRACES_SAMPLER_ARG is the share of new traces that is kept, 1 by default.
    """
    endpoint = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if not endpoint:
        return Tracing(trace.NoOpTracer(), enabled=False)
    # Imported here: 60 ms and 15 MB that a process without a collector need not pay.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.namespace": "maestro"}),
        sampler=ParentBased(TraceIdRatioBased(float(env.get("OTEL_TRACES_SAMPLER_ARG", "1")))),
    )
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=500))
    return Tracing(provider.get_tracer("maestro"), enabled=True, provider=provider)


def current_traceparent() -> str:
    """The `traceparent` of the active span, empty when there is none."""
    if trace.get_current_span() is trace.INVALID_SPAN:  # sooner told than by injecting nothing
        return ""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent", "")


def _context_of(traceparent: str) -> otel_context.Context:
    return _PROPAGATOR.extract({"traceparent": traceparent})


def _link_to(traceparent: str) -> list[Link]:
    context = trace.get_current_span(_context_of(traceparent)).get_span_context()
    return [Link(context)] if context.is_valid else []
