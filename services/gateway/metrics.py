"""Prometheus metrics of the gateway beyond those of every HTTP surface."""

from typing import Final

from prometheus_client import Counter

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
