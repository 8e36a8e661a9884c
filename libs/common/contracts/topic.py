"""A topic: one ordered stream of facts about one kind of aggregate."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec


@dataclass(frozen=True, slots=True)
class Topic:
    """`<service>.<aggregate>.v<major>` and the facts it carries.

    `facts` maps the past participle that ends a fact's type to its class; `key` gives the
    aggregate's id for a fact (the tenant is put before it), which decides the partition and so
    the order. `telemetry` marks streams of measurements: short-lived, not audited. An `external` one
    is written by producers outside the platform, and by no service.
    """

    name: str
    facts: Mapping[str, type[msgspec.Struct]]
    key: Callable[[Any], str]
    partitions: int = 12
    retention_hours: int = 24 * 7
    telemetry: bool = False
    external: bool = False

    @property
    def producer(self) -> str:
        """The service that publishes it, or takes what comes from outside; no other may write it."""
        return self.name.partition(".")[0]

    def type_of(self, fact: type[msgspec.Struct]) -> str:
        """The CloudEvents type of a fact class: `tracking.run.created`."""
        stem = self.name.rpartition(".")[0]
        for participle, known in self.facts.items():
            if known is fact:
                return f"{stem}.{participle}"
        raise LookupError(f"{fact.__name__} is no fact of {self.name}")

    def class_of(self, type_name: str) -> type[msgspec.Struct] | None:
        """The fact class behind a CloudEvents type, None when this topic has no such fact."""
        return self.facts.get(type_name.rpartition(".")[2])
