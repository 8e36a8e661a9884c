"""What was promised about each fact, and whether a change keeps the promise.

A reader of yesterday reads the facts of today, and a reader of today those of yesterday. So a
field may come when it is optional; nothing else about a published fact may change.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libs.common.contracts.topic import Topic
from tools.contracts.schemas import Schema, alone

Seen = tuple[str, ...]

FOLDER = "libs/common/contracts/frozen"
WHAT_TO_DO = "publish it on a topic of the next major version instead"


def files(topics: tuple[Topic, ...]) -> dict[str, str]:
    """The frozen form of every fact: path → text."""
    return {
        f"{FOLDER}/{topic.type_of(fact)}.json": json.dumps(
            {"topic": topic.name, "type": topic.type_of(fact), "payload": alone(fact)},
            indent=1,
            sort_keys=True,
        )
        + "\n"
        for topic in topics
        for fact in topic.facts.values()
    }


def broken_promises(root: Path, topics: tuple[Topic, ...]) -> list[str]:
    """Each change that an existing reader would stumble over, naming topic, fact and field."""
    now = {path: json.loads(text) for path, text in files(topics).items()}
    said = []
    for file in sorted((root / FOLDER).glob("*.json")):
        before = json.loads(file.read_text(encoding="utf-8"))
        where = f"{before['topic']}: {before['type']}"
        after = now.get(f"{FOLDER}/{file.name}")
        if after is None:
            said.append(f"{where} is gone: {WHAT_TO_DO}")
        elif after["topic"] != before["topic"]:
            said.append(f"{where} moved to {after['topic']}: {WHAT_TO_DO}")
        else:
            changes = differences(before["payload"], after["payload"])
            said += [f"{where}: {change}: {WHAT_TO_DO}" for change in changes]
    return said


def differences(before: Schema, after: Schema) -> list[str]:
    """What changed between two schemas of one fact, other than new optional fields."""
    comparison = Comparison(before.get("$defs", {}), after.get("$defs", {}))
    return list(dict.fromkeys(comparison.of(before, after, "")))


@dataclass(frozen=True)
class Comparison:
    """Walks two schemas together; `old` and `new` hold what their references mean."""

    old: Schema
    new: Schema

    def of(self, before: Any, after: Any, path: str, seen: Seen = ()) -> Iterator[str]:
        """What changed at `path`; a reference that is in `seen` is under way already."""
        if not isinstance(before, dict) or not isinstance(after, dict):
            if before != after:
                yield f"field {path or 'payload'} changed from {_short(before)} to {_short(after)}"
            return
        reference = before.get("$ref")
        if reference is not None:
            if reference in seen:
                return
            seen = (*seen, reference)
        before, after = _resolved(before, self.old), _resolved(after, self.new)
        yield from self._fields(before, after, path, seen)
        for name in sorted((before.keys() | after.keys()) - {"properties", "required", "$defs"}):
            yield from self._keyword(name, before.get(name), after.get(name), path, seen)

    def _keyword(self, name: str, one: Any, other: Any, path: str, seen: Seen) -> Iterator[str]:
        if name in {"items", "additionalProperties"} and one is not None and other is not None:
            yield from self.of(one, other, f"{path}[]", seen)
        elif name == "anyOf" and len(one or ()) == len(other or ()):
            for choice, choice_now in zip(one, other, strict=True):
                yield from self.of(choice, choice_now, path, seen)
        elif one != other:
            where = f"field {path or 'payload'}: {name}"
            yield f"{where} changed from {_short(one)} to {_short(other)}"

    def _fields(self, before: Schema, after: Schema, path: str, seen: Seen) -> Iterator[str]:
        fields, later = before.get("properties", {}), after.get("properties", {})
        needed, needed_later = before.get("required", ()), after.get("required", ())
        for name in fields:
            inner = f"{path}.{name}" if path else name
            if name not in later:
                yield f"field {inner} is gone"
                continue
            if name in needed and name not in needed_later:
                yield f"field {inner} is no longer always there"
            if name not in needed and name in needed_later:
                yield f"field {inner} became required"
            yield from self.of(fields[name], later[name], inner, seen)
        for name in later.keys() - fields.keys():
            if name in needed_later:
                yield f"new field {f'{path}.{name}' if path else name} is required"


def _resolved(schema: Schema, meanings: Schema) -> Schema:
    """The schema with what it refers to put in its place."""
    if "$ref" not in schema:
        return schema
    meant = meanings[schema["$ref"].rpartition("/")[2]]
    return {**meant, **{name: part for name, part in schema.items() if name != "$ref"}}


def _short(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, sort_keys=True)[:80]
