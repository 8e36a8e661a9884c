"""JSON Schemas of the facts, shared and each by itself."""

from typing import Any

import msgspec

from libs.common.contracts.topic import Topic

Schema = dict[str, Any]


def shared(topics: tuple[Topic, ...]) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """The payload schema of each fact type, and the components those refer to."""
    types = [(topic.type_of(fact), fact) for topic in topics for fact in topic.facts.values()]
    found, components = msgspec.json.schema_components(
        [fact for _, fact in types], ref_template="#/components/schemas/{name}"
    )
    return {name: schema for (name, _), schema in zip(types, found, strict=True)}, components


def alone(fact: type[msgspec.Struct]) -> Schema:
    """One fact's schema with all it refers to, without words that bind nobody."""
    schema = _without_words(msgspec.json.schema(fact))
    assert isinstance(schema, dict)
    return schema


def _without_words(schema: object) -> object:
    """Leave titles and descriptions out, but not fields that happen to be called so."""
    if isinstance(schema, list):
        return [_without_words(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, object] = {}
    for name, part in schema.items():
        if name in {"properties", "$defs"}:
            kept[name] = {key: _without_words(value) for key, value in part.items()}
        elif name not in {"title", "description"}:
            kept[name] = part if name == "default" else _without_words(part)
    return kept
