"""How asyncapi.yaml tells of messages that producers outside the platform send: two forms of one."""

import base64
from typing import Any

import msgspec

from libs.common.contracts.ingest import (
    EXAMPLE,
    JSON_TYPE,
    LARGEST_BODY,
    PACKED_TYPE,
    PASS_HEADER,
    SIGNATURE_HEADER,
)
from libs.common.contracts.topic import Topic

Node = dict[str, Any]
FORMS = {"": JSON_TYPE, "+msgpack": PACKED_TYPE}
_ABOUT = f"At most {LARGEST_BODY:,} bytes. docs/ingestion.md says how a message is signed."
_RUN = EXAMPLE.run_id
_SHOWN = {
    "ce_specversion": "1.0",
    "ce_id": "5f0c6a0e-3b0f-4c57-9d52-6f1d0b8a7c11",
    "ce_source": "/trainers/night",
    "ce_type": "tracking.ingest.run-logged",
    PASS_HEADER: "eyJ0ZW5hbnQiOiI3….5b1d…",
    SIGNATURE_HEADER: "9f86d081884c7d65…",
}


def messages(topic: Topic, payloads: dict[str, Node]) -> Node:
    """The messages of a topic for producers outside: each fact as JSON and as MessagePack."""
    found: Node = {}
    for fact in topic.facts.values():
        name = topic.type_of(fact)
        for suffix, form in FORMS.items():
            found[f"{name}{suffix}"] = {
                "name": name,
                "title": fact.__name__,
                "summary": (fact.__doc__ or "").strip().split("\n")[0],
                "description": _ABOUT if not suffix else f"{_ABOUT} {_PACKED}",
                "contentType": form,
                "headers": {"$ref": "#/components/schemas/IngestHeaders"},
                "payload": payloads[name],
                "examples": [_example(form)],
                "bindings": {
                    "kafka": {"key": {"type": "string", "description": "<tenant>/<run_id>"}}
                },
            }
    return found


def references(topic: Topic) -> Node:
    """The messages of the topic's channel."""
    return {
        f"{participle}{suffix}": {"$ref": f"#/components/messages/{topic.type_of(fact)}{suffix}"}
        for participle, fact in topic.facts.items()
        for suffix in FORMS
    }


def _example(form: str) -> Node:
    shown: Node = {"headers": {**_SHOWN, "content-type": form}}
    if form == JSON_TYPE:
        return {**shown, "payload": msgspec.to_builtins(_without_defaults())}
    packed = base64.b64encode(msgspec.msgpack.encode(_without_defaults())).decode()
    return {**shown, "summary": "The same in base64", "payload": packed}


def _without_defaults() -> Node:
    whole: Node = msgspec.to_builtins(EXAMPLE)
    whole["metrics"] = [{k: v for k, v in each.items() if v} for each in whole["metrics"]]
    whole["create"] = {k: v for k, v in whole["create"].items() if v}
    return {name: value for name, value in whole.items() if value}


_PACKED = "The payload's schema, written as MessagePack: maps with the names of the fields as keys."


def _text(description: str, **more: object) -> Node:
    return {"type": "string", "description": description, **more}


HEADERS: Node = {
    "type": "object",
    "description": "CloudEvents 1.0 in Kafka's binary mode, and whose the message is.",
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": _text("the event; the same again when it is sent twice", format="uuid"),
        "ce_source": _text("who sends"),
        "ce_type": {"type": "string", "const": "tracking.ingest.run-logged"},
        PASS_HEADER: _text("`pass` of POST /api/maestro/v1/ingest/passes"),
        SIGNATURE_HEADER: _text(
            "HMAC-SHA256 in hex under the pass's secret, of ce_id, ce_type, key, content-type and"
            " body, joined by line feeds"
        ),
        "content-type": {"type": "string", "enum": list(FORMS.values())},
    },
    "required": [
        "ce_specversion",
        "ce_id",
        "ce_type",
        PASS_HEADER,
        SIGNATURE_HEADER,
        "content-type",
    ],
}
