"""The platform's one-off steps: migrate, republish, redrive, and those of services."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

import asyncpg

from libs.common.bus.link import Broker
from libs.common.bus.provision import provision, takes_from_outside, wanted_topics
from libs.common.bus.redrive import redrive as put_back
from libs.common.contracts.ingest import PRODUCER
from libs.common.database.migrations import MigrationRefused
from libs.common.database.migrations import migrate as migrate_schema
from libs.common.events.republish import republish as tell_again
from libs.common.runner import running
from libs.common.service import Service
from libs.common.settings import Common, SettingsError, Shared, load
from libs.common.telemetry.logs import open_logs


def migrate(services: Sequence[Service], env: Mapping[str, str]) -> None:
    """Schemas, roles, topics, broker users and rules; prints what was done. Safe to repeat."""
    try:
        for line in asyncio.run(prepare(services, env)):
            print(line)
    except (SettingsError, MigrationRefused) as problem:
        sys.exit(f"migrate: {problem}")


def republish(name: str, services: Sequence[Service], env: Mapping[str, str]) -> None:
    """Tell every aggregate of one service again, as snapshot facts; prints how many."""
    found = [service for service in services if service.name == name]
    if not found or not found[0].snapshots:
        sys.exit(f"republish: {name} tells no snapshots")
    open_logs(level="WARNING")
    for topic, told in asyncio.run(_republish(found[0], env)).items():
        print(f"{topic}: {told} told again")


def redrive(topics: Sequence[str], services: Sequence[Service], env: Mapping[str, str]) -> None:
    """Put dead letters back on their topics; prints how many from each."""
    known = sorted(name for name in wanted_topics(services) if name.endswith(".dlt"))
    strangers = sorted(set(topics) - set(known))
    if strangers:
        sys.exit(
            f"redrive: no dead-letter topic {', '.join(strangers)}; there are\n" + "\n".join(known)
        )
    open_logs(level="WARNING")
    moved = asyncio.run(put_back(_admin(env), list(topics) or known))
    for topic, count in moved.items():
        if count:
            print(f"{topic}: {count} put back")
    print(f"{sum(moved.values())} messages put back")


def step_of_a_service(name: str, services: Sequence[Service], env: Mapping[str, str]) -> None:
    """Run the step that a service declares by that name; prints what it says."""
    owner = next(service for service in services if name in service.steps)
    open_logs(level="WARNING")
    try:
        print(asyncio.run(_step(owner, name, env)))
    except SettingsError as problem:
        sys.exit(f"{name}: {problem}")


async def prepare(services: Sequence[Service], env: Mapping[str, str]) -> list[str]:
    """Bring schemas, roles, topics, broker users and rules up to date; what was done, in words."""
    done: list[str] = []
    connection = await asyncpg.connect(_needed(env, "MAESTRO_POSTGRES_URL"))
    try:
        for service in services:
            if service.migrations is not None:
                applied = await migrate_schema(
                    connection, service.name, service.migrations, _role_passwords(service.name, env)
                )
                done.append(f"schema {service.name}: {', '.join(applied) or 'up to date'}")
    finally:
        await connection.close()
    created = await _provision(services, env)
    done.append(f"topics: {len(created)} created" if created else "topics: up to date")
    return done


async def _provision(services: Sequence[Service], env: Mapping[str, str]) -> list[str]:
    admin = _admin(env)
    passwords = {
        service.name: _needed(env, f"{service.name}_kafka_password".upper()) for service in services
    }
    for service in services:
        if takes_from_outside(service):
            name = f"{service.name}_kafka_producer_password".upper()
            passwords[PRODUCER] = _needed(env, name)
    return await provision(
        services,
        bootstrap=admin.bootstrap,
        username=admin.username,
        password=admin.password,
        passwords=passwords,
        replication=load(Shared, "MAESTRO", env).kafka_replication,
    )


async def _republish(service: Service, env: Mapping[str, str]) -> dict[str, int]:
    async with running(_quiet(service), env, {}) as (value, _):
        return await tell_again(value)


async def _step(service: Service, name: str, env: Mapping[str, str]) -> str:
    with_settings = replace(_quiet(service), settings=service.settings)
    async with running(with_settings, env, {}) as (value, _):
        return await service.steps[name](value)


def _quiet(service: Service) -> Service:
    """A service that writes and tells, and neither serves nor hears."""
    return Service(
        name=service.name,
        settings=None,
        api=service.api,
        publishes=service.publishes,
        migrations=service.migrations,
        snapshots=service.snapshots,
    )


def _role_passwords(schema: str, env: Mapping[str, str]) -> dict[str, str]:
    common = load(Common, schema, env)
    return {
        f"{schema}_app": _password_in(common.database_url, schema),
        f"{schema}_relay": _password_in(common.relay_database_url, schema),
    }


def _password_in(url: str, schema: str) -> str:
    password = urlsplit(url).password
    if not password:
        raise SettingsError(f"{schema.upper()}_[RELAY_]DATABASE_URL carries no password")
    return unquote(password)


def _admin(env: Mapping[str, str]) -> Broker:
    return Broker(
        _needed(env, "MAESTRO_KAFKA_BOOTSTRAP"),
        _needed(env, "MAESTRO_KAFKA_ADMIN_USERNAME"),
        _needed(env, "MAESTRO_KAFKA_ADMIN_PASSWORD"),
        "admin",
    )


def _needed(env: Mapping[str, str], name: str) -> str:
    if not env.get(name):
        raise SettingsError(f"Set {name}")
    return env[name]
