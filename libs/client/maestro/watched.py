"""The runs that are watched, as far as their events have told."""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from maestro.events import Event

ENDED: Final = frozenset({"FINISHED", "FAILED", "KILLED"})
# So many values of a metric are drawn, and so many arrivals tell how fast they come.
DRAWN: Final = 48
_ARRIVALS: Final = 64
_RATE_SECONDS: Final = 30.0


@dataclass
class Metric:
    """A metric of a run: its last point, and the values before it."""

    value: float = 0.0
    step: int = -1
    timestamp: int = -1
    values: deque[float] = field(default_factory=lambda: deque(maxlen=DRAWN))
    arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=_ARRIVALS))

    def take(self, point: Mapping[str, Any], *, live: bool) -> None:
        """A point; one that came before the last one is told again, and passed over."""
        step, timestamp = int(point["step"]), int(point["timestamp"])
        value = float(point["value"])
        if (step, timestamp) == (self.step, self.timestamp) and value == self.value:
            return
        if (step, timestamp) >= (self.step, self.timestamp):
            self.value, self.step, self.timestamp = value, step, timestamp
        self.values.append(value)
        if live:
            self.arrivals.append(time.monotonic())

    def rate(self, now: float) -> float:
        """Points a second lately."""
        recent = [at for at in self.arrivals if now - at < _RATE_SECONDS]
        return len(recent) / max(1.0, now - recent[0]) if recent else 0.0


@dataclass
class Watched:
    """A run that is watched."""

    run_id: str
    version: int = -1
    name: str = ""
    status: str = ""
    gone: bool = False
    start_time: int | None = None
    end_time: int | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it has ended, or is not there any more."""
        return self.gone or self.status in ENDED

    def take(self, told: Mapping[str, Any]) -> None:
        """The run as it stands; what is older than what is known changes nothing."""
        if told["version"] < self.version:
            return
        self.version = told["version"]
        self.name, self.status = told["name"], told["status"]
        self.start_time, self.end_time = told["start_time"], told["end_time"]
        self.gone = told["lifecycle_stage"] == "deleted" or told.get("change") == "removed"

    def metric(self, key: str) -> Metric:
        """One of its metrics."""
        return self.metrics.setdefault(key, Metric())


class Board:
    """All runs that are watched, in the order in which they were first told of."""

    def __init__(self, run_ids: Iterable[str] = ()) -> None:
        self.runs = {run_id: Watched(run_id) for run_id in run_ids}
        self.trouble = ""

    def take(self, event: Event) -> None:
        """What an event tells."""
        if event.event == "snapshot":
            for told in event.data["runs"]:
                run = self._run(told["run_id"])
                run.take(told)
                for point in told["metrics"]:
                    run.metric(point["key"]).take(point, live=False)
        elif event.event == "run":
            self._run(event.data["run_id"]).take(event.data)
        elif event.event == "metrics":
            for point in event.data["points"]:
                self._run(point["run_id"]).metric(point["key"]).take(point, live=True)

    def recall(self, run_id: str, key: str, values: Iterable[float]) -> None:
        """What a metric was before it was watched."""
        self._run(run_id).metric(key).values = deque(values, maxlen=DRAWN)

    @property
    def ended(self) -> bool:
        """Whether all of them have ended."""
        return bool(self.runs) and all(run.ended for run in self.runs.values())

    @property
    def failed(self) -> bool:
        """Whether one of them did not end well."""
        return any(run.status in ("FAILED", "KILLED") for run in self.runs.values())

    def shown(self, most: int) -> list[Watched]:
        """Those there is room for: what runs before what has ended, then the newest."""
        order = sorted(self.runs.values(), key=lambda run: (run.ended, -(run.start_time or 0)))
        kept = {run.run_id for run in order[:most]}
        return [run for run in self.runs.values() if run.run_id in kept]

    def _run(self, run_id: str) -> Watched:
        return self.runs.setdefault(run_id, Watched(run_id))
