"""A bad message does not hold up the others; it is kept with its reason and can be put back."""

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from structlog.testing import CapturingLogger

from libs.common.bus.letters import dead_letter_topic
from libs.common.bus.redrive import redrive
from libs.common.bus.work import TRIES
from libs.common.events.envelope import Headers, headers
from libs.common.telemetry.metrics import MESSAGE_RETRIES
from tests.service.common.letters import Letter, administrator, letters, post
from tests.service.common.pair import Pair
from tests.service.common.shelf import INDIGESTIBLE, MISPLACED, THINGS
from tests.waiting import eventually

DEAD = dead_letter_topic(THINGS.name, "mirror.things")


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def mended() -> AsyncIterator[None]:
    """No test leaves words behind that the mirror cannot digest."""
    yield
    INDIGESTIBLE.clear()
    MISPLACED.clear()


def sent(pair: Pair, **changes: object) -> Headers:
    """The headers of a good fact of the pair's tenant, with some changed."""
    fields: dict[str, object] = {
        "event_id": uuid.uuid4(),
        "type_name": "shelf.thing.created",
        "service": "shelf",
        "key": "lamp",
        "tenant": pair.tenant.id,
        "tenant_no": pair.tenant.number,
        "subject": "ann",
        "version": 1,
        "time": "2026-01-02T03:04:05+00:00",
        "traceparent": "",
    }
    return headers(**(fields | changes))  # type: ignore[arg-type]


def payload(thing: str, word: str) -> bytes:
    """A good payload."""
    return f'{{"version":1,"thing":{{"thing":"{thing}","word":"{word}"}}}}'.encode()


async def dead_of(pair: Pair, count: int) -> list[Letter]:
    """The tenant's dead letters, once there are `count`."""

    async def found() -> list[Letter]:
        key = pair.tenant.id.encode()
        mine = [one for one in await letters(pair.environment, DEAD) if one.key.startswith(key)]
        return mine if len(mine) >= count else []

    return await eventually(found, within=20)


async def copied(pair: Pair, thing: str) -> None:
    """Wait until the mirror has a copy."""

    async def there() -> bool:
        return thing in await pair.mirror.copies(pair.tenant)

    await eventually(there, within=20)


async def test_malformed_messages_are_kept_with_their_reasons_and_hold_up_nothing(
    pair: Pair,
) -> None:
    env, key = pair.environment, f"{pair.tenant.id}/lamp".encode()
    bad: list[tuple[Headers, bytes | None, str]] = [
        (sent(pair), b"{", "shelf.thing.created"),
        (sent(pair), None, "shelf.thing.created"),
        (sent(pair), b'{"version":1,"thing":{"thing":7,"word":"x"}}', "thing.thing"),
        (sent(pair, type_name="other.thing.created"), payload("a", "b"), "no fact"),
        (sent(pair, tenant="nobody"), payload("a", "b"), "UUID"),
        ([], payload("a", "b"), "ce_type: the header is absent"),
        ([("ce_type", None), ("traceparent", None)], b"", "no fact ''"),  # type: ignore[list-item]
    ]
    for given, value, _ in bad:
        await post(env, THINGS.name, value, given, key=key, partition=0)
    good = sent(pair, key="behind")
    await post(env, THINGS.name, payload("behind", "ok"), good, key=key, partition=0)
    await copied(pair, "behind")
    found = await dead_of(pair, len(bad))
    assert len(found) == len(bad)
    for (given, value, reason), letter in zip(bad, found, strict=True):
        assert reason in letter.reason
        assert letter.value == value
        assert letter.headers["maestro_dead_from"].startswith(f"{THINGS.name}/0/".encode())
        assert {name: letter.headers[name] for name, _ in given} == dict(given)


async def test_a_fact_of_a_newer_producer_is_passed_over(pair: Pair) -> None:
    env, key = pair.environment, f"{pair.tenant.id}/lamp".encode()
    newer = sent(pair, type_name="shelf.thing.repainted")
    await post(env, THINGS.name, b'{"colour":"red"}', newer, key=key, partition=0)
    known = sent(pair, key="lamp")
    await post(env, THINGS.name, payload("lamp", "on"), known, key=key, partition=0)
    await copied(pair, "lamp")
    assert [one for one in await letters(env, DEAD) if one.key == key] == []


async def test_what_a_handler_cannot_digest_is_tried_a_few_times_and_kept(pair: Pair) -> None:
    INDIGESTIBLE.add("stone")
    tries = MESSAGE_RETRIES.labels("mirror.things", "message")
    before = tries._value.get()
    await pair.put("plate", "bread")
    await pair.put("plate", "stone")
    await pair.put("plate", "butter")

    async def butter() -> bool:
        return (await pair.mirror.copies(pair.tenant)).get("plate") == ("butter", 3)

    await eventually(butter, within=20)
    (letter,) = await dead_of(pair, 1)
    assert letter.reason == "LookupError: cannot digest stone"
    assert tries._value.get() - before == TRIES
    assert [e.word for e in await pair.mirror.effects(pair.tenant)] == ["bread", "butter"]


async def test_a_handler_that_writes_for_another_tenant_is_stopped_and_holds_up_nothing(
    pair: Pair,
) -> None:
    MISPLACED.add("astray")
    await pair.put("plate", "astray")
    await pair.put("plate", "home")

    async def home() -> bool:
        return (await pair.mirror.copies(pair.tenant)).get("plate") == ("home", 2)

    await eventually(home, within=20)
    (letter,) = await dead_of(pair, 1)
    assert "row-level security" in letter.reason


async def test_redrive_puts_back_what_is_mended_and_each_has_one_effect(pair: Pair) -> None:
    INDIGESTIBLE.add("knot")
    for thing in ("rope", "string"):
        await pair.put(thing, "knot")
    dead = await dead_of(pair, 2)
    assert await pair.mirror.copies(pair.tenant) == {}
    admin = administrator(pair.environment)

    moved = await redrive(admin, [DEAD])  # not mended yet: they come back
    assert moved[DEAD] >= 2
    assert len(await dead_of(pair, 4)) == 4

    INDIGESTIBLE.clear()
    await redrive(admin, [DEAD])
    for thing in ("rope", "string"):
        await copied(pair, thing)
    await redrive(admin, [DEAD])  # nothing of ours is left to move

    effects = await pair.mirror.effects(pair.tenant)
    assert sorted(e.thing for e in effects) == ["rope", "string"]
    assert {str(e.event_id).encode() for e in effects} == {one.headers["ce_id"] for one in dead}


@pytest.mark.parametrize(
    "strange",
    [
        [],
        [("maestro_dead_from", b"")],
        [("maestro_dead_from", b"\xff/0/1")],
        [("maestro_dead_from", f"{DEAD}/0/1".encode())],
        [("maestro_dead_from", b"auth.token.v1/0/1")],
    ],
)
async def test_a_letter_of_unknown_origin_stays_and_does_not_end_redrive(
    pair: Pair, strange: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr("libs.common.bus.redrive._log", log)
    env, key = pair.environment, f"{pair.tenant.id}/vase".encode()
    given = sent(pair, key="vase")
    await post(env, DEAD, payload("vase", "roses"), [*given, *strange], key=key)
    known = [*given, ("maestro_dead_from", f"{THINGS.name}/0/1".encode())]
    await post(env, DEAD, payload("vase", "tulips"), known, key=key)
    for _ in range(2):
        await redrive(administrator(env), [DEAD])
        assert [call.args for call in log.calls] == [("dead_letter_of_unknown_origin",)]
    await copied(pair, "vase")
    assert (await pair.mirror.copies(pair.tenant))["vase"] == ("tulips", 1)
    assert len(await dead_of(pair, 2)) == 2


async def test_a_dead_letter_put_back_after_its_effect_has_no_second_one(pair: Pair) -> None:
    await pair.put("cup", "tea")
    await copied(pair, "cup")
    (effect,) = await pair.mirror.effects(pair.tenant)
    key = f"{pair.tenant.id}/cup".encode()
    given = sent(pair, event_id=effect.event_id, key="cup")
    given += [("maestro_dead_reason", b"x"), ("maestro_dead_from", f"{THINGS.name}/0/1".encode())]
    await post(pair.environment, DEAD, payload("cup", "tea"), given, key=key)
    assert (await redrive(administrator(pair.environment), [DEAD]))[DEAD] >= 1
    await pair.put("saucer", "x")
    await pair.put("cup", "coffee")
    for thing in ("saucer", "cup"):
        await copied(pair, thing)

    async def coffee() -> bool:
        return (await pair.mirror.copies(pair.tenant))["cup"] == ("coffee", 2)

    await eventually(coffee, within=20)
    cups = [e for e in await pair.mirror.effects(pair.tenant) if e.thing == "cup"]
    assert [(e.word, e.version) for e in cups] == [("tea", 1), ("coffee", 2)]
