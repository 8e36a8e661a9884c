"""Prometheus metrics of the gateway beyond those of every HTTP surface."""

from typing import Final

from prometheus_client import Counter, Gauge

_FOUND: Final = Counter(
    "maestro_gateway_principals_total",
    "Requests by where their principal was found: memory, redis, auth, or refused from memory.",
    ("source",),
)
# Resolved once: finding a label's child costs more than counting.
FOUND_IN: Final = {
    source: _FOUND.labels(source) for source in ("memory", "redis", "auth", "refused")
}
RENEWALS_FAILED: Final = Counter(
    "maestro_gateway_renewals_failed_total", "Principals that auth could not renew in time."
)
SIGN_INS_SLOWED: Final = Counter(
    "maestro_gateway_sign_ins_slowed_total",
    "Passwords that were answered with 429, as too many from their address were wrong.",
)
SILENT_UPSTREAMS: Final = Counter(
    "maestro_gateway_silent_upstreams_total",
    "Requests given up because their service was silent.",
    ("upstream",),
)
SILENCE: Final = Gauge(
    "maestro_gateway_revocation_silence_seconds",
    "Seconds since the time up to which every revocation is known here.",
)
_REVOKED: Final = Counter(
    "maestro_gateway_revoked_total",
    "Revocations by how they were learnt of first: broadcast, or auth's feed.",
    ("path",),
)
REVOKED_BY: Final = {path: _REVOKED.labels(path) for path in ("broadcast", "feed")}
FEED_FAILURES: Final = Counter(
    "maestro_gateway_revocation_feed_failures_total",
    "Times that auth could not be asked what was revoked.",
)
REQUESTS_CUT: Final = Counter(
    "maestro_gateway_requests_cut_total",
    "Requests under way that were cut because their caller was revoked.",
)
LIMITED: Final = Counter(
    "maestro_gateway_limited_total",
    "Requests over a limit, by tier and outcome: delayed (and then served), refused.",
    ("tier", "outcome"),
)
LIMITS_WAITING: Final = Gauge(
    "maestro_gateway_limits_waiting", "Writes of running runs that are being delayed."
)
LIMITS_ALONE: Final = Counter(
    "maestro_gateway_limits_alone_total",
    "Questions for allowance that Redis did not answer, so that this gateway's share decided.",
)
