"""What is told of points: every run in full, in facts that fit a message whatever was logged."""

from collections import Counter
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as some

from libs.common.contracts.tracking import MetricsLogged, RunPoints
from services.tracking.commands.ingest_sections import points_told
from services.tracking.commands.telemetry import (
    MOST_BYTES,
    MOST_KEYS,
    MOST_VALUES,
    Filling,
    add_part,
    encoded,
    metrics_logged,
    parts_of,
)
from services.tracking.model.ingest_section import Brought
from services.tracking.model.limits import KEY_LENGTH
from services.tracking.model.metrics import Point
from services.tracking.store.sections import LoggedSection

RUN = "a" * 32
LEAST, MOST = -(2**63), 2**63 - 1
# Four bytes each, and what a name may have.
WIDE = "\N{MATHEMATICAL BOLD SMALL A}"
NAMES = some.text(some.sampled_from(["a", "é", "語", WIDE, "/", " ", "\n"]), max_size=12)


def many(
    name: str, padding: int, keys: int, count: int, first: int, value: float, time: int
) -> list[Point]:
    """Points of so many keys, which may be as long as they may be."""
    start = (name + WIDE * padding)[: KEY_LENGTH - 4]
    return [Point(f"{start}{n % keys:04}", value, time, min(first + n, MOST)) for n in range(count)]


WRITES = some.lists(
    some.tuples(
        some.integers(0, 2**128 - 1),
        some.builds(
            many,
            NAMES,
            some.sampled_from([0, 30, KEY_LENGTH]),
            some.integers(1, 1_000),
            some.sampled_from([1, 2, MOST_VALUES, MOST_VALUES + 1, 1_000]),
            some.integers(LEAST, MOST),
            some.floats(allow_infinity=False),
            some.integers(0, MOST),
        ),
    ),
    min_size=1,
    max_size=10,
)


def point(key: str, step: int, value: float = 0.5) -> Point:
    """A point at a time."""
    return Point(key, value, 7, step)


def told_of(facts: list[MetricsLogged], run_id: str) -> tuple[int, dict[str, int]]:
    """How many points of a run, and the last step of each key."""
    parts = [part for fact in facts for part in fact.runs if part.run_id == run_id]
    steps = [item for part in parts for item in part.steps.items()]
    assert len(steps) == len(dict(steps))
    return sum(part.points for part in parts), dict(steps)


def test_few_points_are_told_with_their_values() -> None:
    points = [point("a", 3), point("b", 1, float("nan")), point("a", 2)]
    (part,) = parts_of(RUN, points)
    assert (part.run_id, part.points, part.steps) == (RUN, 3, {"a": 3, "b": 1})
    assert part.values == [("a", 0.5, 7, 3), ("b", "NaN", 7, 1), ("a", 0.5, 7, 2)]


def test_of_many_points_or_where_there_is_no_room_the_keys_are_told() -> None:
    few = [point("a", step) for step in range(3)]
    more = [point("a", step) for step in range(MOST_VALUES + 1)]
    for points, room in ((few, 2), (more, 1_000)):
        (part,) = parts_of(RUN, points, room)
        assert (part.steps, part.points, part.values) == ({"a": points[-1].step}, len(points), [])
    assert parts_of(RUN, few, 3)[0].values


def test_a_run_of_very_many_keys_is_told_in_parts() -> None:
    points = [point(f"{number % 500:03}", number) for number in range(1_100)]
    parts = parts_of(RUN, points)
    assert [len(part.steps) for part in parts] == [MOST_KEYS, MOST_KEYS, 100]
    assert [part.points for part in parts] == [500, 400, 200]
    count, steps = told_of(metrics_logged(parts), RUN)
    assert (count, len(steps), steps["099"], steps["100"]) == (1_100, 500, 1_099, 600)


def test_the_largest_part_that_there_can_be_fits_a_fact() -> None:
    keys = [f"{WIDE * (KEY_LENGTH - 3)}{number:03}" for number in range(MOST_KEYS)]
    without = [Point(key, 0.5, MOST, LEAST) for key in keys]
    with_values = [Point(key, -1.7976931348623157e308, MOST, LEAST) for key in keys[:MOST_VALUES]]
    for points in (without, with_values):
        (part,) = parts_of(RUN, points)
        (fact,) = metrics_logged([part])
        assert len(encoded(fact)) <= MOST_BYTES


def test_facts_are_as_few_as_their_size_allows() -> None:
    part = RunPoints(run_id=RUN, steps={WIDE * 250 + f"{n:03}": n for n in range(100)}, points=100)
    facts = metrics_logged([part] * 5)
    assert [len(fact.runs) for fact in facts] == [2, 2, 1]


def test_a_fact_is_filled_to_the_brim_and_not_beyond() -> None:
    def part(length: int) -> RunPoints:
        return RunPoints(run_id=RUN, steps={"a" * length: 1}, points=1)

    empty = len(encoded(MetricsLogged(runs=[part(0), part(0)])))
    for beyond, facts in ((-1, 1), (1, 2)):
        parts = [part(1_000), part(MOST_BYTES - empty - 1_000 + beyond)]
        assert len(encoded(MetricsLogged(runs=parts))) == MOST_BYTES + beyond
        assert len(metrics_logged(parts)) == facts


@settings(max_examples=40, deadline=None)
@given(WRITES)
def test_whatever_is_logged_every_fact_fits_and_together_they_tell_all(
    writes: list[tuple[int, list[Point]]],
) -> None:
    runs = {f"{number:032x}": points for number, points in writes}
    facts = metrics_logged(part for run, points in runs.items() for part in parts_of(run, points))
    for fact in facts:
        assert len(encoded(fact)) <= MOST_BYTES
    assert list(dict.fromkeys(part.run_id for fact in facts for part in fact.runs)) == list(runs)
    for run_id, points in runs.items():
        count, steps = told_of(facts, run_id)
        assert (count, steps.keys()) == (len(points), Counter(one.key for one in points).keys())
        for key, step in steps.items():
            assert step == max(one.step for one in points if one.key == key)


@settings(max_examples=40, deadline=None)
@given(WRITES)
def test_parts_are_joined_to_the_same_facts(writes: list[tuple[int, list[Point]]]) -> None:
    section, filling = LoggedSection(1, UUID(int=1)), Filling()
    parts = [part for number, points in writes for part in parts_of(f"{number:032x}", points)]
    for number, part in enumerate(parts, 1):
        add_part(section, filling, number, part, "somebody", "")
    joined = [
        ",".join(
            part for to, part in zip(section.part_facts, section.parts, strict=True) if to == n
        )
        for n in range(1, filling.facts + 1)
    ]
    # As migrations/0015_telemetry.sql does.
    payloads = [f'{{"version":0,"runs":[{each}]}}'.encode() for each in joined]
    assert payloads == [encoded(fact) for fact in metrics_logged(parts)]
    assert msgspec.json.decode(payloads[0], type=MetricsLogged).runs[0] == parts[0]
    assert len(section.told_ids) == filling.facts


def test_a_fact_is_caused_by_whoever_caused_all_of_it() -> None:
    section, filling = LoggedSection(1, UUID(int=1)), Filling()
    for number, (subject, trace) in enumerate((("a", ""), ("a", "t1"), ("a", "t2")), 1):
        add_part(section, filling, number, parts_of(RUN, [point("m", 1)])[0], subject, trace)
    assert (section.told_subjects, section.told_traces) == (["a"], ["t1"])
    for subject in ("b", "a"):
        add_part(section, filling, 4, parts_of(RUN, [point("m", 1)])[0], subject, "")
        assert section.told_subjects == [""]


def test_what_came_by_event_is_told_together() -> None:
    first, second = Brought(), Brought(steps={"n": 1}, counts={"n": 1})
    first.steps |= {f"{number:03}": number for number in range(300)}
    first.counts |= dict.fromkeys(first.steps, 2)
    silent = Brought(params={"p": "1"})
    runs = [UUID(int=number) for number in (1, 2, 3)]
    brought = {(runs[0], "a"): first, (runs[1], "a"): second, (runs[2], "b"): silent}
    sender, (fact,) = points_told(brought)
    assert sender == "a"
    assert [(part.run_id, part.points) for part in fact.runs] == [
        (runs[0].hex, 400),
        (runs[0].hex, 200),
        (runs[1].hex, 1),
    ]
    assert points_told({**brought, (runs[2], "b"): second})[0] == ""
    assert points_told({(runs[2], "b"): silent}) == ("", [])
