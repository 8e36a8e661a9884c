"""Prometheus metrics that every service has; labels are bounded by what the code declares."""

from functools import lru_cache
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_LATENCY_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

REQUESTS: Final = Counter(
    "maestro_http_requests_total",
    "HTTP requests answered.",
    ("service", "route", "method", "status"),
)
REQUEST_SECONDS: Final = Histogram(
    "maestro_http_request_seconds",
    "Seconds from a request's first byte to its answer's last.",
    ("service", "route"),
    buckets=_LATENCY_BUCKETS,
)
REQUESTS_OPEN: Final = Gauge("maestro_http_requests_open", "HTTP requests in work.", ("service",))
FACTS_PUBLISHED: Final = Counter(
    "maestro_outbox_published_total", "Facts published by the relay.", ("service", "topic")
)
OUTBOX_FAILURES: Final = Counter(
    "maestro_outbox_failures_total", "Facts that the broker did not take.", ("service", "topic")
)
OUTBOX_DELAY: Final = Histogram(
    "maestro_outbox_delay_seconds",
    "Seconds from a fact's record to its publication.",
    ("service",),
    buckets=_LATENCY_BUCKETS,
)
RELAY_ACTIVE: Final = Gauge("maestro_relay_active", "1 while this process relays.", ("service",))
MESSAGES_HANDLED: Final = Counter(
    "maestro_messages_handled_total",
    "Messages by outcome: applied, repeated, ignored, dead.",
    ("group", "topic", "outcome"),
)
MESSAGE_RETRIES: Final = Counter(
    "maestro_message_retries_total",
    "Deliveries tried again, by reason: message or world.",
    ("group", "reason"),
)
MESSAGES_BEHIND: Final = Gauge(
    "maestro_messages_behind", "Messages between a group and its topics' ends.", ("group",)
)
SECONDS_BEHIND: Final = Gauge(
    "maestro_seconds_behind",
    "Age of the oldest message that a group works on; 0 where it waits for messages.",
    ("group",),
)


_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@lru_cache(maxsize=10_000)
def answered(service: str, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """The counter and the histogram of one kind of answer; looking them up costs 10 µs each time.

    A method that HTTP does not know counts as OTHER, as a client can invent any number of them.
    """
    known = method if method in _METHODS else "OTHER"
    return (
        REQUESTS.labels(service, route, known, str(status)),
        REQUEST_SECONDS.labels(service, route),
    )


def exposition() -> bytes:
    """All metrics of this process in Prometheus' text format."""
    return generate_latest()
