"""What tracking remembers of experiments: for a minute, by version, of one tenant and workspace."""

from dataclasses import replace
from uuid import UUID

import pytest

from libs.common.access.selection import EVERYTHING, NOTHING, Names, Selection
from services.tracking import known
from services.tracking.known import BELIEVED_SECONDS, Governing, Known

RUN = UUID(int=7)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def governing(name: str, version: int = 1, experiment_id: int = 3) -> Governing:
    """An experiment of nobody."""
    return Governing(experiment_id, version, name, "")


def test_an_experiment_is_believed_for_a_minute() -> None:
    clock = Clock()
    memory = Known(clock)
    memory.learn(1, 1, governing("a"), RUN)
    clock.now = BELIEVED_SECONDS
    assert memory.around(1, 1, RUN) == memory.experiment(1, 1, 3) == governing("a")
    clock.now = BELIEVED_SECONDS + 0.1
    assert memory.around(1, 1, RUN) is memory.experiment(1, 1, 3) is None


def test_nothing_is_known_of_another_tenant_or_workspace() -> None:
    memory = Known()
    memory.learn(1, 1, governing("a"), RUN)
    for place in ((2, 1), (1, 2)):
        assert memory.experiment(*place, 3) is None
        assert memory.around(*place, RUN) is None


def test_what_was_read_before_a_change_does_not_undo_it() -> None:
    memory = Known()
    memory.learn(1, 1, governing("new", version=2))
    memory.learn(1, 1, governing("old", version=1), RUN)
    assert memory.around(1, 1, RUN) == governing("new", version=2)


def test_after_a_missed_change_experiments_are_asked_for_again() -> None:
    memory = Known()
    memory.learn(1, 1, governing("a"), RUN)
    memory.forget_experiments()
    assert memory.around(1, 1, RUN) is None
    memory.learn(1, 1, governing("a"))
    assert memory.around(1, 1, RUN) == governing("a")


def test_a_count_is_an_estimate_for_a_minute_about_one_selection() -> None:
    clock = Clock()
    memory = Known(clock)
    narrow = Selection(Names(prefixes=("a/",)), NOTHING, EVERYTHING, "user:a")
    memory.counted(1, 1, narrow, 7)
    assert memory.count(1, 1, replace(narrow)) == 7
    assert memory.count(1, 2, narrow) is memory.count(2, 1, narrow) is None
    assert memory.count(1, 1, replace(narrow, owner="user:b")) is None
    clock.now = BELIEVED_SECONDS + 0.1
    assert memory.count(1, 1, narrow) is None


def test_there_is_room_for_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "MOST_EXPERIMENTS", 2)
    monkeypatch.setattr(known, "MOST_CONTENTS", 2)
    monkeypatch.setattr(known, "MOST_COUNTS", 2)
    memory = Known()
    for number in range(4):
        memory.learn(1, 1, governing("a", experiment_id=number), UUID(int=number))
        memory.counted(1, number, Selection(EVERYTHING, NOTHING, EVERYTHING, ""), 1)
    assert [memory.experiment(1, 1, number) is None for number in range(4)] == [1, 1, 0, 0]
    assert [memory.around(1, 1, UUID(int=number)) is None for number in range(4)] == [1, 1, 0, 0]
    everything = Selection(EVERYTHING, NOTHING, EVERYTHING, "")
    assert [memory.count(1, number, everything) is None for number in range(4)] == [1, 1, 0, 0]
