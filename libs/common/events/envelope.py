"""The envelope of a fact: CloudEvents 1.0 in Kafka's binary mode, with W3C trace context."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec

from libs.common.contracts.topic import Topic

Headers = list[tuple[str, bytes]]
CONTENT_TYPE: Final = b"application/json"


class Malformed(Exception):
    """A message that is no fact of its topic; the text says which field and why."""


class Unheard(Exception):
    """A fact of a newer producer that this version does not know; it is passed over."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact as it was received: `key` is the aggregate's id, `version` the aggregate's version.

    `time` is the database's time of the record, in RFC 3339; `subject` who caused it.
    """

    id: UUID
    type: str
    topic: str
    key: str
    tenant: str
    tenant_no: int
    subject: str
    version: int
    time: str
    traceparent: str
    fact: Any


def headers(
    *,
    event_id: UUID,
    type_name: str,
    service: str,
    key: str,
    tenant: str,
    tenant_no: int,
    subject: str,
    version: int,
    time: str,
    traceparent: str,
) -> Headers:
    """The message headers of a fact; extension attributes are lower case as CloudEvents asks."""
    fields = {
        "ce_specversion": "1.0",
        "ce_id": str(event_id),
        "ce_source": f"/maestro/{service}",
        "ce_type": type_name,
        "ce_subject": key,
        "ce_time": time,
        "ce_tenant": tenant,
        "ce_tenantno": str(tenant_no),
        "ce_actor": subject,
        "ce_sequence": str(version),
    }
    if traceparent:
        fields["traceparent"] = traceparent
    found = [(name, value.encode()) for name, value in fields.items()]
    return [*found, ("content-type", CONTENT_TYPE)]


def open_event(
    topic: Topic, message_headers: Iterable[tuple[str, bytes]] | Sequence[Any], value: bytes | None
) -> Event:
    """The event in a message of `topic`.

    Raises Malformed naming the first field that is wrong, Unheard for a fact that came to the
    topic after this version: new facts are no breach, so readers live through a rolling upgrade.
    """
    # Kafka's headers may have no value, whoever sent them.
    found = {name: (raw or b"").decode(errors="replace") for name, raw in message_headers}
    type_name = _required(found, "ce_type")
    fact_class = topic.class_of(type_name)
    if type_name.rpartition(".")[0] != topic.name.rpartition(".")[0]:
        raise Malformed(f"ce_type: {topic.name} carries no fact {type_name!r}")
    if fact_class is None:
        raise Unheard(type_name)
    try:
        return Event(
            id=UUID(_required(found, "ce_id")),
            type=type_name,
            topic=topic.name,
            key=_required(found, "ce_subject"),
            tenant=str(UUID(_required(found, "ce_tenant"))),
            tenant_no=int(_required(found, "ce_tenantno")),
            subject=found.get("ce_actor", ""),
            version=int(_required(found, "ce_sequence")),
            time=_required(found, "ce_time"),
            traceparent=found.get("traceparent", ""),
            fact=msgspec.json.decode(value or b"", type=fact_class),
        )
    except (ValueError, RecursionError) as problem:
        raise Malformed(f"{type_name}: {problem}") from problem


def traceparent_of(message_headers: Iterable[tuple[str, bytes]]) -> str:
    """The trace context of a message, empty when it has none."""
    for name, raw in message_headers:
        if name == "traceparent":
            return (raw or b"").decode(errors="replace")
    return ""


def _required(found: dict[str, str], name: str) -> str:
    if name not in found:
        raise Malformed(f"{name}: the header is absent")
    return found[name]
