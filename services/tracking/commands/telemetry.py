"""What is told of points: a part for each run, put into facts of a bounded size."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from uuid import uuid4

import msgspec

from libs.common.contracts.tracking import MetricsLogged, RunPoints
from services.tracking.model.metrics import Point
from services.tracking.store.sections import LoggedSection

# So many points of a run are told with their values, and so many of what is committed together; of
# more only which keys and how many: what hardly anybody listens to must not double what is written.
MOST_VALUES: Final = 50
MOST_VALUES_TOGETHER: Final = 1_000
# A key takes up to 1,000 bytes: whatever is logged, a part takes less than a fact may.
MOST_KEYS: Final = 200
MOST_BYTES: Final = 256 * 1024
encoded: Final = msgspec.json.Encoder().encode
_FRAME: Final = len(encoded(MetricsLogged(runs=[])))


class Filling:
    """Fills one fact after the other; `facts` have been begun."""

    def __init__(self) -> None:
        self.facts = 0
        self._left = 0

    def place(self, size: int) -> int:
        """The number, from 1 on, of the fact that the next part goes into, which takes so many bytes."""
        size += 1  # the comma behind it
        if size > self._left:
            self.facts += 1
            self._left = MOST_BYTES - _FRAME
        self._left -= size
        return self.facts


def metrics_logged(parts: Iterable[RunPoints]) -> list[MetricsLogged]:
    """The facts that tell these parts in their order."""
    filling, runs = Filling(), list[list[RunPoints]]()
    for part in parts:
        if filling.place(len(encoded(part))) > len(runs):
            runs.append([])
        runs[-1].append(part)
    return [MetricsLogged(runs=each) for each in runs]


def add_part(
    section: LoggedSection, filling: Filling, write: int, part: RunPoints, subject: str, trace: str
) -> None:
    """Put what is told of a write's points into a section: where the write is refused it is not told.

    A fact is caused by whoever caused all its parts, else by nobody in particular.
    """
    text = encoded(part)
    fact = filling.place(len(text))
    section.part_writes.append(write)
    section.part_facts.append(fact)
    section.parts.append(text.decode())
    if fact > len(section.told_ids):
        section.told_ids.append(uuid4())
        section.told_subjects.append(subject)
        section.told_traces.append(trace)
        return
    if section.told_subjects[-1] != subject:
        section.told_subjects[-1] = ""
    section.told_traces[-1] = section.told_traces[-1] or trace


def parts_of(run_id: str, points: Sequence[Point], room: int = MOST_VALUES) -> list[RunPoints]:
    """What is told of a run's points, with their values where these are few and there is `room`."""
    steps: dict[str, int] = {}
    for point in points:
        if point.step >= steps.get(point.key, point.step):
            steps[point.key] = point.step
    if len(points) > min(MOST_VALUES, room):
        return counted(run_id, steps, Counter(point.key for point in points))
    values = [(point.key, _wire(point.value), point.time, point.step) for point in points]
    return [RunPoints(run_id=run_id, steps=steps, points=len(points), values=values)]


def counted(run_id: str, steps: Mapping[str, int], counts: Mapping[str, int]) -> list[RunPoints]:
    """What is told of a run's points by key: the last step of each, and how many there are."""
    keys = list(steps)
    return [
        RunPoints(
            run_id=run_id,
            steps={key: steps[key] for key in keys[first : first + MOST_KEYS]},
            points=sum(counts[key] for key in keys[first : first + MOST_KEYS]),
        )
        for first in range(0, len(keys), MOST_KEYS)
    ]


def _wire(value: float) -> float | str:
    # Not-a-number alone differs from itself.
    return value if value == value else "NaN"  # noqa: PLR0124
