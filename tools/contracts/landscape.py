"""What the platform declares: every topic with its producer, and who reads it how."""

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass

from libs.common import contracts
from libs.common.bus.work import group_of
from libs.common.contracts.topic import Topic
from libs.common.service import Service, Subscription


@dataclass(frozen=True)
class Reading:
    """One service's subscription to one topic."""

    service: str
    subscription: Subscription
    topic: Topic

    @property
    def name(self) -> str:
        """The consumer group of a work subscription; a broadcast is named alike but has none."""
        return group_of(self.service, self.subscription)

    @property
    def facts(self) -> list[str]:
        """The types this reading acts on; the others of the topic are passed over."""
        handled = self.subscription.handler_of
        return [self.topic.type_of(fact) for fact in self.topic.facts.values() if handled(fact)]


@dataclass(frozen=True)
class Landscape:
    """All topics in the order of their names, and all services as the topology lists them."""

    topics: tuple[Topic, ...]
    services: tuple[Service, ...]

    def readings(self, topic: Topic) -> list[Reading]:
        """Who reads a topic."""
        return [reading for reading in self.all_readings() if reading.topic is topic]

    def all_readings(self) -> list[Reading]:
        """Every pair of subscription and topic."""
        return [
            Reading(service.name, subscription, topic)
            for service in self.services
            for subscription in service.subscriptions
            for topic in subscription.topics
        ]

    def mistakes(self) -> list[str]:
        """What does not fit together: unpublished, doubly published or foreign topics."""
        published = [
            (service.name, topic) for service in self.services for topic in service.publishes
        ]
        said = [
            f"{name} publishes {topic.name}, whose name says {topic.producer}"
            for name, topic in published
            if name != topic.producer
        ]
        for topic in self.topics:
            count = sum(1 for _, other in published if other is topic)
            if topic.external:
                said += [f"{topic.name} comes from outside, and a service publishes it"] * count
            elif count != 1:
                said.append(f"{topic.name} is published by {count} services; it takes exactly one")
        known = set(map(id, self.topics))
        foreign = [each for each in self.all_readings() if id(each.topic) not in known]
        return said + [f"{each.name} reads {each.topic.name}, of no contract" for each in foreign]


def declared(services: Iterable[Service]) -> Landscape:
    """Collect the topics of all contract modules and the services of a topology."""
    found: dict[str, Topic] = {}
    for module in pkgutil.iter_modules(contracts.__path__, contracts.__name__ + "."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Topic):
                found[value.name] = value
    return Landscape(tuple(found[name] for name in sorted(found)), tuple(services))
