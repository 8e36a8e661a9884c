"""A service hears what its commits have outdated before anybody is answered, and in reactions too."""

import json

import pytest

from libs.common.events import outbox
from tests.service.common.pair import Pair
from tests.service.common.shelf import COPIES, OUTDATED, THINGS
from tests.waiting import eventually


def outdated_in(pair: Pair, service: str) -> list[dict[str, list[str]]]:
    """What a service was told of the pair's tenant."""
    return [
        told for name, number, told in OUTDATED if (name, number) == (service, pair.tenant.number)
    ]


async def test_a_commit_outdates_what_its_facts_are_about_before_it_is_answered(
    pair: Pair,
) -> None:
    await pair.put("lamp", "on")
    await pair.put("door", "shut")
    assert outdated_in(pair, "shelf") == [{THINGS.name: ["lamp"]}, {THINGS.name: ["door"]}]


async def test_a_write_without_facts_outdates_nothing(pair: Pair) -> None:
    for path in ("/mute", "/silent"):
        await pair.shelf.ask("POST", path, {"thing": "lamp", "word": "off"})
    assert outdated_in(pair, "shelf") == []


@pytest.mark.parametrize("point", ["write.before-commit", "write.after-commit"])
async def test_it_is_told_too_where_nobody_knows_whether_commit_came_to_pass(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def breaks(name: str) -> None:
        if name == point:
            raise RuntimeError("the connection broke")

    monkeypatch.setattr(outbox, "reach", breaks)
    reply = await pair.shelf.ask("POST", "/things", {"thing": "lamp", "word": "on"})
    assert json.loads(reply.body)["error_code"] == "INTERNAL_ERROR"
    assert outdated_in(pair, "shelf") == [{THINGS.name: ["lamp"]}]


async def test_a_reaction_outdates_what_its_facts_are_about(pair: Pair) -> None:
    await pair.put("lamp", "on")
    told = await eventually(lambda: outdated_in(pair, "mirror"), within=15)
    assert told == [{COPIES.name: ["lamp"]}]
