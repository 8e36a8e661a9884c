"""A service that writes down each effect of tracking's facts, so that a second one would show."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from libs.common.contracts.tracking import EXPERIMENTS, RUNS
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.http.application import application
from libs.common.http.routes import Routes
from libs.common.service import Service, Subscription
from libs.embedded.environment import as_user


async def see(work: UnitOfWork, event: Event) -> None:
    """Write down that a fact had an effect."""
    await work.connection.execute(
        "INSERT INTO sightings (tenant_no, event_id, topic, key, version)"
        " VALUES ($1, $2, $3, $4, $5)",
        event.tenant_no,
        event.id,
        event.topic,
        event.key,
        event.version,
    )


WITNESS: Final = Service(
    name="witness",
    settings=None,
    api=lambda running: application(running, Routes()),
    subscriptions=(
        Subscription("runs", (RUNS,), any_fact=see),
        Subscription("experiments", (EXPERIMENTS,), any_fact=see),
    ),
    migrations=Path(__file__).with_name("migrations"),
    tables={"sightings": "tenant"},
)


def with_witness(platform: Mapping[str, str]) -> dict[str, str]:
    """The platform's variables with those of the witness."""
    url = platform["MAESTRO_POSTGRES_URL"]
    return {
        **platform,
        "WITNESS_DATABASE_URL": as_user(url, "witness_app", "password-of-witness-app"),
        "WITNESS_RELAY_DATABASE_URL": as_user(url, "witness_relay", "password-of-witness-relay"),
        "WITNESS_KAFKA_USERNAME": "witness",
        "WITNESS_KAFKA_PASSWORD": "password-of-witness",
    }
