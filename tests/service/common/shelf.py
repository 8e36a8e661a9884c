"""Two small services: `shelf` owns things and tells of them, `mirror` keeps copies of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from libs.common.contracts.topic import Topic
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork, unit_of_work
from libs.common.http.application import application
from libs.common.http.routes import Call, Routes
from libs.common.service import Running, Service, Snapshot, Subscription, Told
from libs.embedded.environment import as_user

_FOLDER: Final = Path(__file__).with_name("migrations")


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A thing as it stands."""

    thing: str
    word: str


class ThingCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A thing came to be."""

    version: int
    thing: Thing


class ThingChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A thing has another word."""

    version: int
    thing: Thing


class ThingSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A thing as it stands, told again."""

    version: int
    thing: Thing


class CopyMade(msgspec.Struct, frozen=True, kw_only=True):
    """The mirror made a copy: a fact that a reaction records."""

    version: int
    thing: str


THINGS: Final = Topic(
    "shelf.thing.v1",
    {"created": ThingCreated, "changed": ThingChanged, "snapshot": ThingSnapshot},
    lambda fact: str(fact.thing.thing),
    partitions=3,
)
COPIES: Final = Topic(
    "mirror.copy.v1", {"made": CopyMade}, lambda fact: str(fact.thing), partitions=1
)
ROUTES: Final = Routes()


# What commits outdated: by which service, of which tenant, and the keys by topic.
OUTDATED: Final[list[tuple[str, int, dict[str, list[str]]]]] = []


async def outdated(running: Running, tenant_no: int, told: Told) -> None:
    """Note what a commit outdated."""
    keys = {topic: list(those) for topic, those in told.items()}
    OUTDATED.append((running.name, tenant_no, keys))


class PutThing(msgspec.Struct):
    """What is asked for when a thing is put."""

    thing: str = ""
    word: str = ""


@ROUTES.plain("POST", "/things", permission="run.log")
async def put_thing(call: Call, body: PutThing) -> object:
    """Create or change a thing; answers its version."""
    principal = call.principal
    async with unit_of_work(call.running, principal) as work:
        version: int = await work.connection.fetchval(
            "INSERT INTO things (tenant_no, thing, word) VALUES ($1, $2, $3)"
            " ON CONFLICT (tenant_no, thing) DO UPDATE"
            " SET word = excluded.word, version = things.version + 1 RETURNING version",
            principal.tenant_no,
            body.thing,
            body.word,
        )
        thing = Thing(thing=body.thing, word=body.word)
        told = ThingCreated if version == 1 else ThingChanged
        work.record(told(version=version, thing=thing))
    return {"version": version}


@ROUTES.plain("POST", "/mute", permission="run.log")
async def put_mutely(call: Call, body: PutThing) -> object:
    """Change a thing and tell nobody, which the unit of work does not let pass."""
    async with unit_of_work(call.running, call.principal) as work:
        await _rename(work, call.principal.tenant_no, body)
    return {}


@ROUTES.plain("POST", "/silent", permission="run.log")
async def put_silently(call: Call, body: PutThing) -> object:
    """Change a thing and declare that there is nothing to tell."""
    async with unit_of_work(call.running, call.principal) as work:
        work.silent("a test of silence")
        await _rename(work, call.principal.tenant_no, body)
    return {}


async def _rename(work: UnitOfWork, tenant_no: int, body: PutThing) -> None:
    await work.connection.execute(
        "UPDATE things SET word = $3 WHERE tenant_no = $1 AND thing = $2",
        tenant_no,
        body.thing,
        body.word,
    )


def _snapshot(row: Any) -> ThingSnapshot:
    return ThingSnapshot(version=row["version"], thing=Thing(thing=row["thing"], word=row["word"]))


SHELF: Final = Service(
    name="shelf",
    settings=None,
    api=lambda running: application(running, ROUTES),
    publishes=(THINGS,),
    migrations=_FOLDER / "shelf",
    tables={"things": "tenant"},
    outdates=outdated,
    snapshots=(
        Snapshot(
            THINGS,
            "SELECT thing, word, version FROM things"
            " WHERE tenant_no = $1 AND thing > $2 ORDER BY thing LIMIT $3",
            _snapshot,
        ),
    ),
)

# Words that the mirror's handler cannot digest; a test adds some and, to mend it, takes them out.
INDIGESTIBLE: Final[set[str]] = set()
# Words whose copy the mirror writes for another tenant, as a handler with a defect might.
MISPLACED: Final[set[str]] = set()


async def copy(work: UnitOfWork, event: Event) -> None:
    """Keep the newest state of a thing, note the effect, and tell of it."""
    thing: Thing = event.fact.thing
    if thing.word in INDIGESTIBLE:
        raise LookupError(f"cannot digest {thing.word}")
    tenant_no = event.tenant_no + (1 if thing.word in MISPLACED else 0)
    await work.connection.execute(
        "INSERT INTO copies (tenant_no, thing, word, version) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (tenant_no, thing) DO UPDATE"
        " SET word = excluded.word, version = excluded.version"
        " WHERE copies.version < excluded.version",
        tenant_no,
        thing.thing,
        thing.word,
        event.version,
    )
    await work.connection.execute(
        "INSERT INTO effects (tenant_no, thing, word, version, event_id)"
        " VALUES ($1, $2, $3, $4, $5)",
        event.tenant_no,
        thing.thing,
        thing.word,
        event.version,
        event.id,
    )
    work.record(CopyMade(version=event.version, thing=thing.thing))


class Ears:
    """What one running mirror heard by broadcast, and how often it was connected."""

    def __init__(self) -> None:
        self.heard: list[Event] = []
        self.connections = 0


async def hear(running: Running, event: Event) -> None:
    """Note a fact that was broadcast."""
    running.state.heard.append(event)


async def connected(running: Running) -> None:
    """Note that the broadcast is connected, and that something may have been missed."""
    running.state.connections += 1


@asynccontextmanager
async def _ears(_: Running) -> AsyncIterator[Ears]:
    yield Ears()


EARS: Final = Subscription("ears", (THINGS,), any_fact=hear, kind="broadcast", connected=connected)
MIRROR: Final = Service(
    name="mirror",
    settings=None,
    api=lambda running: application(running, Routes()),
    publishes=(COPIES,),
    subscriptions=(
        Subscription("things", (THINGS,), any_fact=copy),
        EARS,
    ),
    migrations=_FOLDER / "mirror",
    tables={"copies": "tenant", "effects": "tenant"},
    opens=_ears,
    outdates=outdated,
)


def environment_of(platform: Mapping[str, str], instance: str = "one") -> dict[str, str]:
    """The platform's variables with those of the two services, as the replica `instance`."""
    env = {**platform, "MAESTRO_INSTANCE": instance}
    for name in (SHELF.name, MIRROR.name):
        for variable, role in (("DATABASE_URL", "app"), ("RELAY_DATABASE_URL", "relay")):
            login = f"{name}_{role}"
            url = as_user(platform["MAESTRO_POSTGRES_URL"], login, f"password-of-{login}")
            env[f"{name}_{variable}".upper()] = url
        env[f"{name}_KAFKA_USERNAME".upper()] = name
        env[f"{name}_KAFKA_PASSWORD".upper()] = f"password-of-{name}"
    return env
