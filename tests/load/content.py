"""The runs that get-run and search-runs read: the same on every server, known to the last value."""

import random
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Final

METRICS: Final = 20
PARAMS: Final = 20
TAGS: Final = 10
PARAM_VALUES: Final = 10
FIRST_START: Final = 1_700_000_000_000


@dataclass(frozen=True)
class Content:
    """One run's content; `metrics[i]` is the value of `m<i>`, `params[i]` the value of `p<i>`."""

    name: str
    start_time: int
    metrics: list[float]
    params: list[str]

    @property
    def tags(self) -> dict[str, str]:
        """All tags, the one with the run's name among them."""
        return {"mlflow.runName": self.name} | {f"t{i}": f"tag {i}" for i in range(TAGS - 1)}


@dataclass(frozen=True)
class Corpus:
    """Runs with random metrics and a few values for each param."""

    runs: list[Content]

    @classmethod
    def of(cls, size: int, seed: int = 7) -> "Corpus":
        """`size` runs; the same for the same seed."""
        dice = random.Random(seed)
        return cls(
            [
                Content(
                    name=f"run-{number}",
                    start_time=FIRST_START + number * 1000,
                    metrics=[round(dice.random(), 9) for _ in range(METRICS)],
                    params=[f"v{dice.randrange(PARAM_VALUES)}" for _ in range(PARAMS)],
                )
                for number in range(size)
            ]
        )

    @cached_property
    def _by_value(self) -> dict[str, list[Content]]:
        """The runs of each value of `p1`, the greatest `m2` first."""
        found: dict[str, list[Content]] = {f"v{i}": [] for i in range(PARAM_VALUES)}
        for run in sorted(self.runs, key=lambda run: run.metrics[2], reverse=True):
            found[run.params[1]].append(run)
        return found

    @cached_property
    def _bounds(self) -> dict[str, list[float]]:
        return {
            value: sorted(run.metrics[1] for run in runs) for value, runs in self._by_value.items()
        }

    def hits(self, bound: float, value: str) -> int:
        """How many runs have `metrics.m1 > bound and params.p1 = value`."""
        return len(self._bounds[value]) - bisect_right(self._bounds[value], bound)

    def best_hit(self, bound: float, value: str) -> Content | None:
        """The one of them with the greatest `m2`."""
        return next((run for run in self._by_value[value] if run.metrics[1] > bound), None)
