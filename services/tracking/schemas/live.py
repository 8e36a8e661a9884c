"""The events of a live stream as they are sent: `metrics`, `run`, `details` and `snapshot`."""

import msgspec


class Point(msgspec.Struct, frozen=True, gc=False):
    """A point of a metric of a run; not-a-number travels as the text "NaN"."""

    run_id: str
    key: str
    value: float | str
    timestamp: int
    step: int


class Metrics(msgspec.Struct, frozen=True, omit_defaults=True):
    """Points in the order they came; so many more came and are `left_out`, the history has them."""

    points: list[Point]
    left_out: int = 0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands since `change`; of two, the one of the greater version is newer."""

    change: str
    run_id: str
    version: int
    experiment_id: str
    name: str
    status: str
    lifecycle_stage: str
    start_time: int | None
    end_time: int | None


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one request wrote into a run besides points; long values are cut."""

    run_id: str
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    deleted_tags: list[str] = []
    datasets: list[str] = []
    model_inputs: list[str] = []
    model_outputs: list[str] = []


class LatestPoint(msgspec.Struct, frozen=True, gc=False):
    """The latest point of a metric."""

    key: str
    value: float | str
    timestamp: int
    step: int


class RunNow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it stands, and its latest metrics; `left_out` counts those there is no room for."""

    run_id: str
    version: int
    experiment_id: str
    name: str
    status: str
    lifecycle_stage: str
    start_time: int | None
    end_time: int | None
    metrics: list[LatestPoint]
    left_out: int


class Snapshot(msgspec.Struct, frozen=True):
    """Where a stream begins: the run, or the newest runs of the experiment."""

    runs: list[RunNow]
