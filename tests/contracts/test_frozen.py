"""A published fact may gain optional fields; any other change names topic, fact and field."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.common.contracts.topic import Topic
from tools.contracts.frozen import broken_promises, files


class Pet(msgspec.Struct):
    """What the facts below carry."""

    name: str
    legs: int = 4
    friends: list[str] = []


class Adopted(msgspec.Struct):
    """The fact as it was first published."""

    version: int
    pet: Pet
    home: str | None = None


def topic(fact: type[msgspec.Struct], name: str = "shelter.pet.v1") -> tuple[Topic, ...]:
    """A topic that carries one fact."""
    return (Topic(name, {"adopted": fact}, lambda _: "1"),)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder in which the first form is frozen."""
    for path, text in files(topic(Adopted)).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def changed(name: str, /, **fields: object) -> type[msgspec.Struct]:
    """A fact with other fields; an absent default makes a field required."""
    return msgspec.defstruct(
        name,
        [(key, *kind) if isinstance(kind, tuple) else (key, kind) for key, kind in fields.items()],
    )


def test_the_same_facts_keep_the_promise(published: Path) -> None:
    """Nothing changed, nothing said."""
    assert broken_promises(published, topic(Adopted)) == []


def test_optional_fields_are_free(published: Path) -> None:
    """A new optional field, at the top or within, and one of a new kind, are no breach."""
    toy = msgspec.defstruct("Toy", [("sound", str)])
    pet = changed("Pet", name=str, legs=(int, 4), friends=(list[str], []), toy=(toy | None, None))
    fact = changed("Adopted", version=int, pet=pet, home=(str | None, None), note=(str, ""))
    assert broken_promises(published, topic(fact)) == []


FRIENDLESS = changed("Pet", name=str, legs=(int, 4))
NUMBERED = changed("Pet", name=str, legs=(int, 4), friends=(list[int], []))
BREACHES: dict[str, tuple[dict[str, Any], str]] = {
    "removed": ({"version": int, "pet": Pet}, "field home is gone"),
    "new and required": (
        {"version": int, "pet": Pet, "price": int, "home": (str | None, None)},
        "new field price is required",
    ),
    "became required": (
        {"version": int, "pet": Pet, "home": str | None},
        "field home became required",
    ),
    "no longer always there": (
        {"pet": Pet, "version": (int, 0), "home": (str | None, None)},
        "field version is no longer always there",
    ),
    "another kind": (
        {"version": str, "pet": Pet, "home": (str | None, None)},
        'field version: type changed from "integer" to "string"',
    ),
    "another choice": (
        {"version": int, "pet": Pet, "home": (int | None, None)},
        'field home: type changed from "string" to "integer"',
    ),
    "another default": (
        {"version": int, "pet": Pet, "home": (str | None, "here")},
        'field home: default changed from nothing to "here"',
    ),
    "within": (
        {"version": int, "pet": FRIENDLESS, "home": (str | None, None)},
        "field pet.friends is gone",
    ),
    "within a list": (
        {"version": int, "pet": NUMBERED, "home": (str | None, None)},
        'field pet.friends[]: type changed from "string" to "integer"',
    ),
}


@pytest.mark.parametrize("case", BREACHES)
def test_a_breach_names_topic_fact_and_field(case: str, published: Path) -> None:
    """The developer reads where the promise would be broken and what to do."""
    fields, said = BREACHES[case]
    found = broken_promises(published, topic(changed("Adopted", **fields)))
    assert any(said in line for line in found), found
    assert all(line.startswith("shelter.pet.v1: shelter.pet.adopted: ") for line in found)
    assert all(line.endswith("next major version instead") for line in found)


def test_a_fact_may_come_but_not_go(published: Path) -> None:
    """A new fact of a topic is free; a removed one is a breach."""
    both = (Topic("shelter.pet.v1", {"adopted": Adopted, "fed": Adopted}, lambda _: "1"),)
    assert broken_promises(published, both) == []
    gone = broken_promises(published, topic(Adopted, "shelter.cat.v1"))
    assert len(gone) == 1
    assert gone[0].startswith("shelter.pet.v1: shelter.pet.adopted is gone: publish it on")


def test_the_frozen_form_has_no_prose(published: Path) -> None:
    """A reworded docstring changes no promise."""
    text = next(published.rglob("shelter.pet.adopted.json")).read_text()
    assert json.loads(text)["type"] == "shelter.pet.adopted"
    assert "first published" not in text
