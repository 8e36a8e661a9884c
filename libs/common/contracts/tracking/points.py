"""Telemetry of metric points."""

from typing import Final

import msgspec

from libs.common.contracts.topic import Topic


class RunPoints(msgspec.Struct, frozen=True, kw_only=True):
    """Points of a run: which keys, the last step of each, and how many points.

    `values` are the points where they are few (of a run up to 50, of a fact up to 1,000), else empty,
    as (key, value, timestamp, step) with "NaN" for not-a-number. A run whose points have more than
    200 keys is told in several parts, each of other keys.
    """

    run_id: str
    steps: dict[str, int]
    points: int
    values: list[tuple[str, float | str, int, int]] = []


class MetricsLogged(msgspec.Struct, frozen=True, kw_only=True):
    """Points that were committed together: of a tenant's runs, in the order in which they came.

    At most 256 KiB: what is more is told in facts that follow each other. Telemetry: `version` is 0
    and nothing is rebuilt from it.
    """

    version: int = 0
    runs: list[RunPoints]


# A tenant's points are one stream, whatever run they are of.
POINTS_KEY: Final = "points"


def _metrics_key(_: MetricsLogged) -> str:
    return POINTS_KEY


RUN_METRICS: Final = Topic(
    "tracking.run-metrics.v2",
    {"logged": MetricsLogged},
    _metrics_key,
    retention_hours=6,
    telemetry=True,
)
