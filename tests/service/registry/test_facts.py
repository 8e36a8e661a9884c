"""What the registry tells: each change's fact with the state after it, counted up, and snapshots."""

import pytest

from libs.common.events.republish import republish
from tests.service.registry.conftest import Fact, Registry
from tests.service.registry.neighbours import know_tenant

MODEL = "registry.registered-model"
VERSION = "registry.model-version"


def told(facts: list[Fact]) -> list[tuple[str, str, int]]:
    """Type, key and version of facts."""
    return [(fact.type, fact.key, fact.version) for fact in facts]


async def test_every_change_is_told_once_with_what_came_of_it(registry: Registry) -> None:
    """And a request that changes nothing tells nothing."""
    await registry.model("fraud", description="d", tags=[{"key": "a", "value": "1"}])
    for _ in range(2):
        await registry.post(
            "registered-models/set-tag", {"name": "fraud", "key": "b", "value": "2"}
        )
    await registry.version("fraud", tags=[{"key": "t", "value": "1"}], description="v")
    for _ in range(2):
        await registry.post(
            "registered-models/alias", {"name": "fraud", "alias": "best", "version": "1"}
        )
        await registry.post(
            "model-versions/set-tag", {"name": "fraud", "version": "1", "key": "t", "value": "2"}
        )
    await registry.post(
        "model-versions/transition-stage", {"name": "fraud", "version": "1", "stage": "Staging"}
    )
    facts = await registry.facts()
    assert told(facts) == [
        (f"{MODEL}.created", "fraud", 1),
        (f"{MODEL}.changed", "fraud", 2),
        (f"{VERSION}.created", "fraud", 1),
        (f"{MODEL}.changed", "fraud", 3),
        (f"{VERSION}.changed", "fraud", 2),
        (f"{VERSION}.transitioned", "fraud", 3),
    ]
    assert facts[3].content["model"] == {
        "name": "fraud",
        "workspace_id": 1,
        "description": "d",
        "tags": {"a": "1", "b": "2"},
        "aliases": {"best": "1"},
        "owner": "tester",
    }
    version = facts[5].content["model_version"]
    assert facts[5].content["former_stage"] == "None"
    assert (version["stage"], version["tags"], version["description"]) == (
        "Staging",
        {"t": "2"},
        "v",
    )
    assert (version["number"], version["status"]) == (1, "READY")


async def test_a_takeover_is_told_of_all_that_moved(registry: Registry) -> None:
    """In one transaction with the move itself."""
    await registry.model("fraud")
    for number in ("1", "2"):
        await registry.version("fraud")
        await registry.post(
            "model-versions/transition-stage",
            {
                "name": "fraud",
                "version": number,
                "stage": "Production",
                "archive_existing_versions": True,
            },
        )
    moves = [
        (fact.content["model_version"]["number"], fact.content["former_stage"])
        for fact in await registry.facts()
        if fact.type == f"{VERSION}.transitioned"
    ]
    assert moves == [(1, "None"), (1, "Production"), (2, "None")]


async def test_a_deleted_version_takes_its_aliases_along(registry: Registry) -> None:
    """Both are told."""
    await registry.model("fraud")
    await registry.version("fraud")
    await registry.post(
        "registered-models/alias", {"name": "fraud", "alias": "best", "version": "1"}
    )
    await registry.send("DELETE", "model-versions/delete", {"name": "fraud", "version": "1"})
    facts = (await registry.facts())[-2:]
    assert told(facts) == [
        (f"{VERSION}.deleted", "fraud", 2),
        (f"{MODEL}.changed", "fraud", 3),
    ]
    assert facts[1].content["model"].get("aliases", {}) == {}


async def test_what_is_new_under_an_old_name_is_newer(registry: Registry) -> None:
    """A reader that passes older versions over would else take a new model for the deleted one."""
    await registry.model("fraud")
    await registry.version("fraud")
    for value in ("1", "2", "3"):
        await registry.post(
            "model-versions/set-tag", {"name": "fraud", "version": "1", "key": "k", "value": value}
        )
    await registry.send("DELETE", "registered-models/delete", {"name": "fraud"})
    before = await registry.facts()
    assert told(before)[-2:] == [
        (f"{VERSION}.deleted", "fraud", 5),
        (f"{MODEL}.deleted", "fraud", 2),
    ]
    await registry.model("fraud")
    await registry.version("fraud")
    after = (await registry.facts())[len(before) :]
    assert told(after) == [(f"{MODEL}.created", "fraud", 6), (f"{VERSION}.created", "fraud", 6)]


@pytest.mark.parametrize("deleted_first", [True, False])
async def test_a_rename_is_told_of_model_and_versions(
    registry: Registry, deleted_first: bool
) -> None:
    """Under the new name, newer than whatever had it before; under the old one nothing is left."""
    if deleted_first:
        await registry.model("new")
        for value in ("1", "2", "3"):
            await registry.post(
                "registered-models/set-tag", {"name": "new", "key": "k", "value": value}
            )
        await registry.send("DELETE", "registered-models/delete", {"name": "new"})
    await registry.model("old")
    await registry.version("old")
    before = await registry.facts()
    await registry.post("registered-models/rename", {"name": "old", "new_name": "new"})
    gone, renamed, version = (await registry.facts())[len(before) :]
    assert told([gone, renamed, version]) == [
        (f"{VERSION}.deleted", "old", 2),
        (f"{MODEL}.renamed", "new", 6 if deleted_first else 2),
        (f"{VERSION}.changed", "new", 6 if deleted_first else 2),
    ]
    assert renamed.content["former_name"] == "old"
    await registry.model("old")
    await registry.version("old")
    assert told(await registry.facts())[-2:] == [
        (f"{MODEL}.created", "old", 3),
        (f"{VERSION}.created", "old", 3),
    ]


async def test_names_given_back_and_kept_are_told_in_rising_versions(registry: Registry) -> None:
    """Renamed there and back, each version's facts still rise; a name that stays ends nothing."""
    await registry.model("a")
    await registry.version("a")
    for old, new in (("a", "b"), ("b", "a"), ("a", "a")):
        await registry.post("registered-models/rename", {"name": old, "new_name": new})
    kinds = [(fact.type, fact.key) for fact in await registry.facts()]
    assert kinds[-2:] == [(f"{MODEL}.renamed", "a"), (f"{VERSION}.changed", "a")]
    for name, gone in (("a", False), ("b", True)):
        facts = [
            f for f in await registry.facts() if (f.type.startswith(VERSION), f.key) == (True, name)
        ]
        assert (facts[-1].type == f"{VERSION}.deleted") is gone
        versions = [fact.version for fact in facts]
        assert versions == sorted(set(versions))


async def test_a_refused_request_tells_nothing(registry: Registry) -> None:
    """Nor leaves anything behind."""
    await registry.model("fraud")
    await registry.model("other")
    before = await registry.facts()
    body = {"name": "fraud", "source": "file:///etc"}
    assert await registry.status("POST", "model-versions/create", body) == 400
    body = {"name": "fraud", "new_name": "other"}
    assert await registry.status("POST", "registered-models/rename", body) == 400
    assert await registry.facts() == before


async def test_snapshots_tell_what_is_there(registry: Registry) -> None:
    """Page by page: the last fact of each model and version again, and nothing of what is gone."""
    await know_tenant(registry)
    for name in ("a", "b", "gone"):
        await registry.model(name, tags=[{"key": "k", "value": name}])
        await registry.version(name, tags=[{"key": "t", "value": name}])
    await registry.version("a", description="second")
    await registry.post("registered-models/alias", {"name": "a", "alias": "best", "version": "2"})
    await registry.send("DELETE", "registered-models/delete", {"name": "gone"})
    live = {
        (fact.type.split(".")[1], fact.key, number_in(fact)): (fact.version, state_in(fact))
        for fact in await registry.facts()
        if fact.key != "gone"
    }
    before = len(await registry.facts())
    await republish(registry.running)
    again = {
        (fact.type.split(".")[1], fact.key, number_in(fact)): (fact.version, state_in(fact))
        for fact in (await registry.facts())[before:]
    }
    assert again == live


def state_in(fact: Fact) -> dict[str, object]:
    """The state that a fact carries."""
    state: dict[str, object] = fact.content.get("model") or fact.content["model_version"]
    return state


def number_in(fact: Fact) -> object:
    """The version's number that a fact is about, None for a model's."""
    return state_in(fact).get("number")
