"""A read model that was lost is rebuilt from what its producer tells again."""

import asyncpg
import pytest

from libs.common.events import republish as republishing
from libs.common.events.republish import republish
from tests.service.common.pair import Pair
from tests.waiting import eventually


async def test_a_rebuilt_read_model_equals_the_live_one(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republishing, "PAGE", 7)
    tenants = [pair, pair.fresh(), pair.fresh()]
    for one in tenants:
        await know(one)
        await one.put_many(
            {f"thing-{n:02}": [f"{n}.{m}" for m in range(1 + n % 4)] for n in range(20)}
        )
    live = []
    for one in tenants:

        async def complete(one: Pair = one) -> bool:
            return len(await one.mirror.effects(one.tenant)) >= 50

        await eventually(complete, within=20)
        live.append(await one.mirror.copies(one.tenant))
        assert len(live[-1]) == 20

    await forget_facts(pair)
    for one in tenants:
        await one.mirror.empty(one.tenant)
    told = await republish(pair.shelf.running)
    assert told == {"shelf.thing.v1": 60}

    for one, expected in zip(tenants, live, strict=True):

        async def rebuilt(one: Pair = one, expected: dict[str, tuple[str, int]] = expected) -> bool:
            return await one.mirror.copies(one.tenant) == expected

        await eventually(rebuilt, within=20)


async def test_telling_again_does_not_change_a_live_read_model(pair: Pair) -> None:
    await know(pair)
    await pair.put("lamp", "a")
    await pair.put("lamp", "b")

    async def there() -> bool:
        return (await pair.mirror.copies(pair.tenant)).get("lamp") == ("b", 2)

    await eventually(there, within=20)
    await republish(pair.shelf.running)
    await pair.put("lamp", "c")

    async def newer() -> bool:
        return (await pair.mirror.copies(pair.tenant)).get("lamp") == ("c", 3)

    await eventually(newer, within=20)
    effects = await pair.mirror.effects(pair.tenant)
    assert [(e.word, e.version) for e in effects] == [("a", 1), ("b", 2), ("b", 2), ("c", 3)]


async def forget_facts(pair: Pair) -> None:
    """Let the outbox's facts be gone, as they are after a few days."""
    admin = await asyncpg.connect(pair.environment["MAESTRO_POSTGRES_URL"])
    try:
        await admin.execute("DELETE FROM shelf.outbox WHERE published_at IS NOT NULL")
        assert await admin.fetchval("SELECT count(*) FROM shelf.outbox") == 0
    finally:
        await admin.close()


async def know(pair: Pair) -> None:
    """Let the shelf know the pair's tenant, as auth's facts would."""
    await pair.shelf.running.database.execute(
        "INSERT INTO known_tenants (tenant_no, tenant, name, status, version)"
        " VALUES ($1, $2::uuid, 'test', 'active', 1)",
        pair.tenant.number,
        pair.tenant.id,
    )
