"""The heartbeat of auth: a sign that facts about it arrive."""

from typing import Final

import msgspec

from libs.common.contracts.topic import Topic


class HeartbeatSent(msgspec.Struct, frozen=True, kw_only=True):
    """auth, its database, its relay and the broker were there when this was told.

    `last_revocation` is the number of the last revocation that was committed before it.
    """

    version: int
    last_revocation: int


def _heartbeat_key(_: HeartbeatSent) -> str:
    return "auth"


# No measurements of tenants', but as short-lived and as little to be audited.
HEARTBEAT: Final = Topic(
    "auth.heartbeat.v1",
    {"sent": HeartbeatSent},
    _heartbeat_key,
    partitions=1,
    retention_hours=1,
    telemetry=True,
)
