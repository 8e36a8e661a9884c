"""Prometheus metrics of auth beyond those of every service."""

from typing import Final

from prometheus_client import Counter

PASSWORDS_HASHED: Final = Counter(
    "maestro_auth_passwords_hashed_total",
    "Passwords that argon2id was computed for; those known from a moment ago are not among them.",
)
PASSWORDS_TURNED_AWAY: Final = Counter(
    "maestro_auth_passwords_turned_away_total",
    "Passwords that were answered with 503 as too many were waiting.",
)
