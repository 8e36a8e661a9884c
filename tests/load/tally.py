"""What one measured round showed: rates, latencies, failures, and what was acknowledged."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the sorted `values` that `share` of them do not exceed (nearest rank)."""
    if not values:
        return float("nan")
    rank = max(1, -(-len(values) * share // 1))
    return values[int(rank) - 1]


@dataclass
class Tally:
    """Counts of one round.

    `acknowledged` counts every right answer from the first request to the last, the warm-up's
    too, for what is committed is compared with it; `measured` those of the measured span alone.
    `broken` counts requests whose connection ended before an answer: they may have been carried
    out all the same.
    """

    acknowledged: int = 0
    measured: int = 0
    seconds: float = 0.0
    wrong: int = 0
    broken: int = 0
    refused: Counter[int] = field(default_factory=Counter)
    example: str = ""
    latencies: "array[float]" = field(default_factory=lambda: array("d"))

    @property
    def failed(self) -> int:
        """Requests without a right answer."""
        return self.wrong + self.broken + self.refused.total()

    @property
    def rate(self) -> float:
        """Right answers a second."""
        return self.measured / self.seconds if self.seconds else 0.0

    def milliseconds(self, share: float) -> float:
        """A latency's percentile; `share` between 0 and 1."""
        return percentile(sorted(self.latencies), share) * 1000

    def note(self, status: int, body: bytes) -> None:
        """Count an answer that is not right, and keep the first as an example."""
        if status == 200:
            self.wrong += 1
        else:
            self.refused[status] += 1
        if not self.example:
            self.example = f"{status} {body[:300]!r}"
