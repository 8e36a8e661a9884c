"""What was heard of runs, as items, and the messages that items become on their way out.

A fact is one item, or of points one for each run that somebody listens to. All items of a fact stand
at its offset and stay together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import msgspec

from libs.common.contracts import tracking as contract
from libs.common.events.envelope import Event
from libs.common.service import Place
from services.tracking.live.places import Standing, written
from services.tracking.schemas import live

# Of one message: more than a screen shows, and a tenth of a megabyte.
MOST_POINTS: Final = 1_000
_CHANGES: Final[Mapping[type[Any], str]] = {
    contract.RunCreated: "created",
    contract.RunChanged: "changed",
    contract.RunDeleted: "deleted",
    contract.RunRestored: "restored",
    contract.RunCondemned: "condemned",
    contract.RunRemoved: "removed",
}


@dataclass(slots=True)
class Item:
    """What a fact says of a run, and where it was heard.

    Of points it has `points` and how many more are `left_out`; until they are read, `unread` are
    the metrics that they are of. Of anything else it has the `told` event.
    """

    place: Place
    offset: int
    tenant: str
    tenant_no: int
    run_id: str
    experiment_id: int | None = None
    told: live.Run | live.Details | None = None
    points: Sequence[live.Point] = ()
    left_out: int = 0
    unread: Mapping[str, int] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """What it takes to keep it, in points."""
        return 1 + len(self.points)

    @property
    def removes(self) -> bool:
        """Whether the run is gone for good."""
        return isinstance(self.told, live.Run) and self.told.change == "removed"


def items_of(place: Place, offset: int, event: Event, wanted: Callable[[str], bool]) -> list[Item]:
    """What a listener is told of a fact, as far as its runs are `wanted`; none where that is nothing."""
    fact, at = event.fact, (place, offset, event.tenant, event.tenant_no)
    if isinstance(fact, contract.MetricsLogged):
        return [_of_points(at, part) for part in fact.runs if wanted(part.run_id)]
    if isinstance(fact, contract.RunDetailsLogged):
        fields = {name: getattr(fact, name) for name in live.Details.__struct_fields__}
        return [Item(*at, fact.run_id, told=live.Details(**fields))]
    change = _CHANGES.get(type(fact))
    return [] if change is None else [_of_change(at, fact, change)]


def weight_of(event: Event) -> int:
    """What it takes to look at a fact, in points, whoever listens to them."""
    fact = event.fact
    if not isinstance(fact, contract.MetricsLogged):
        return 1
    return sum(1 + len(part.values) + len(part.steps) for part in fact.runs)


def _of_points(at: tuple[Place, int, str, int], part: contract.RunPoints) -> Item:
    run_id = part.run_id
    if not part.values:
        return Item(*at, run_id, left_out=part.points, unread=part.steps)
    points = [live.Point(run_id, *point) for point in part.values]
    return Item(*at, run_id, points=points)


def _of_change(at: tuple[Place, int, str, int], fact: Any, change: str) -> Item:
    run: contract.Run = fact.run
    told = live.Run(
        change=change,
        run_id=run.run_id,
        version=fact.version,
        experiment_id=run.experiment_id,
        name=run.name,
        status=run.status,
        lifecycle_stage=run.lifecycle_stage,
        start_time=run.start_time,
        end_time=run.end_time,
    )
    number = int(run.experiment_id)
    return Item(*at, run.run_id, experiment_id=number, told=told)


def messages(
    items: Iterable[Item], before: Mapping[Place, int], after: Mapping[Place, int]
) -> Iterator[bytes]:
    """Items as server-sent events, points that follow each other in one.

    The ids lead from the standing `before` them to the one `after`, so that whoever has got a
    message, and not the next, can be told the next.
    """
    standing: Standing = dict(before)
    groups = [list(group) for _, group in groupby(items, key=_kind)]
    for group in groups:
        for item in group:
            standing[item.place] = item.offset + 1
        last = group is groups[-1]
        event_id = written(after if last else standing)
        told = group[0].told
        if told is None:
            yield message("metrics", _metrics(group), event_id)
        else:
            kind = "run" if isinstance(told, live.Run) else "details"
            yield message(kind, told, event_id)


def message(event: str, data: msgspec.Struct, event_id: str) -> bytes:
    """One server-sent event; JSON has no line ends in it."""
    head = f"event: {event}\nid: {event_id}\ndata: ".encode()
    return head + msgspec.json.encode(data) + b"\n\n"


def _kind(item: Item) -> object:
    # What is no points is an event of its own.
    return None if item.told is None else id(item)


def _metrics(group: Sequence[Item]) -> live.Metrics:
    points = [point for item in group for point in item.points]
    left_out = sum(item.left_out for item in group)
    if len(points) <= MOST_POINTS:
        return live.Metrics(points, left_out)
    kept = _thinned(points)
    return live.Metrics(kept, left_out + len(points) - len(kept))


def _thinned(points: Sequence[live.Point]) -> list[live.Point]:
    """About as many as there is room for, evenly taken, and the last of each metric."""
    stride = len(points) // MOST_POINTS + 1
    last = {(point.run_id, point.key): place for place, point in enumerate(points)}
    places = {*range(0, len(points), stride), *list(last.values())[:MOST_POINTS]}
    return [points[place] for place in sorted(places)]
