"""Contents: the same bytes are stored once for a tenant, and freed when nothing holds them."""

import asyncio
import base64
import hashlib
from pathlib import Path

import msgspec
import pytest

from libs.common.http.calling import Reply
from libs.common.workspaces import DEFAULT_ID
from services.tracking.commands import contents as commands
from services.tracking.commands.contents import Freed, free_contents, unlink_below
from services.tracking.store import contents as store
from tests.service.tracking.owners import (
    new_model,
    new_run,
    objects,
    of_model,
    of_run,
    store_folder,
    stored,
)
from tests.service.tracking.test_quotas import used
from tests.serving import Client, new_tenant

MIB = 1024 * 1024
SIZES = [10, 3 * MIB]
AT_ONCE = 0.0
HOUR = 3600.0


async def put(client: Client, path: str, body: bytes) -> None:
    reply = await client.ask("PUT", path, raw=body)
    assert reply.status == 200, reply.body


async def read(client: Client, path: str) -> bytes:
    reply = await client.ask("GET", path)
    assert reply.status == 200, reply.body
    return reply.body


async def swept(client: Client, grace: float = AT_ONCE) -> list[str]:
    """The objects that are left of the tenant after a sweep."""
    await free_contents(client.running, grace)
    return objects(client)


def the_object(client: Client) -> Path:
    (key,) = objects(client)
    return store_folder(client) / "t" / client.tenant.id / key


async def loose(client: Client) -> int:
    """How many objects of the tenant no content refers to."""
    counted: int = await client.running.database.fetchval(
        "SELECT count(*) FROM loose_objects WHERE object_key LIKE $1", f"t/{client.tenant.id}/%"
    )
    return counted


@pytest.mark.parametrize("size", SIZES)
async def test_the_same_bytes_are_stored_once_for_a_tenant(client: Client, size: int) -> None:
    runs, model = [await new_run(client), await new_run(client)], await new_model(client)
    body = b"x" * size
    for path in (of_run(runs[0], "/a"), of_run(runs[1], "/d/b"), of_model(model, "/c")):
        await put(client, path, body)
    assert len(objects(client)) == 1
    assert await used(client) == (2, 3 * size), "quotas count what is seen, not what is stored"
    assert await loose(client) == 0
    other = client.of(new_tenant())
    await put(other, of_run(await new_run(other), "/a"), body)
    assert len(objects(other)) == 1


@pytest.mark.parametrize("size", SIZES)
async def test_the_same_bytes_sent_at_once_are_stored_once(client: Client, size: int) -> None:
    run_id = await new_run(client)
    await asyncio.gather(*(put(client, of_run(run_id, f"/{n}"), b"y" * size) for n in range(12)))
    assert len(objects(client)) == 1
    assert await loose(client) == 0
    assert len(await stored(client)) == 12
    await asyncio.gather(*(client.ask("DELETE", of_run(run_id, f"/{n}")) for n in range(12)))
    assert await used(client) == (1, 0)
    assert await swept(client) == []


async def test_what_nothing_holds_is_freed_after_the_grace_period(client: Client) -> None:
    run_id = await new_run(client)
    await put(client, of_run(run_id, "/a"), b"first")
    await put(client, of_run(run_id, "/b"), b"first")
    await put(client, of_run(run_id, "/a"), b"second")
    assert len(await swept(client)) == 2
    await client.ask("DELETE", of_run(run_id, "/b"))
    assert len(await swept(client, HOUR)) == 2
    # What is held again meanwhile stays.
    await put(client, of_run(run_id, "/c"), b"first")
    assert len(await swept(client)) == 2
    assert await read(client, of_run(run_id, "/c")) == b"first"
    await client.ask("DELETE", of_run(run_id, "/c"))
    assert len(await swept(client)) == 1
    assert await read(client, of_run(run_id, "/a")) == b"second"


async def test_a_sweep_says_what_it_freed(client: Client) -> None:
    await free_contents(client.running, AT_ONCE)
    run_id = await new_run(client)
    for path, size in (("/a", 10), ("/d/b", 20), ("/d/c", 30), ("/db", 40)):
        await put(client, of_run(run_id, path), b"z" * size)
    number = client.tenant.number
    async with client.running.database.transaction(number) as connection:
        held = await unlink_below(connection, number, DEFAULT_ID, f"0/{run_id}/artifacts/d")
    assert held == 50
    assert await stored(client) == [f"0/{run_id}/artifacts/{name}" for name in ("a", "db")]
    assert await free_contents(client.running, AT_ONCE) == Freed(2, 50)
    assert await free_contents(client.running, AT_ONCE) == Freed(0, 0)
    async with client.running.database.transaction(number) as connection:
        with pytest.raises(ValueError, match="uppermost"):
            await unlink_below(connection, number, DEFAULT_ID, "")


async def test_objects_that_the_store_does_not_remove_hold_up_no_other(client: Client) -> None:
    run_id, database = await new_run(client), client.running.database
    stuck = [f"t/{client.tenant.id}/c/00/{number}" for number in range(commands.MOST_STUCK + 1)]
    for key in stuck:  # a folder in place of a file
        (store_folder(client) / key).mkdir(parents=True)
        await store.begin_object(database, key)
    await store.give_up_objects(database, stuck)
    await database.execute(
        "UPDATE loose_objects SET since = '-infinity' WHERE object_key = ANY ($1)", stuck
    )
    await put(client, of_run(run_id, "/a"), b"to go")
    await client.ask("DELETE", of_run(run_id, "/a"))
    assert len(await swept(client)) == 1, "the store may be away"
    assert await swept(client) == []
    assert await loose(client) == len(stuck)
    for key in stuck:
        (store_folder(client) / key).rmdir()
    await free_contents(client.running, AT_ONCE)
    assert await loose(client) == len(stuck), "they are not tried again at once"
    await database.execute(
        "UPDATE loose_objects SET since = since - interval '1 hour' WHERE object_key = ANY ($1)",
        stuck,
    )
    await free_contents(client.running, AT_ONCE)
    assert await loose(client) == 0


async def test_a_sweep_takes_nothing_from_an_upload_that_is_about_to_hold_it(
    client: Client,
) -> None:
    run_id = await new_run(client)
    ended = False

    async def sweeping() -> None:
        while not ended:
            await free_contents(client.running, AT_ONCE)

    sweeper = asyncio.create_task(sweeping())
    try:
        for size in SIZES * 15:
            await put(client, of_run(run_id, "/a"), b"w" * size)
            await client.ask("DELETE", of_run(run_id, "/a"))
            put_again = (put(client, of_run(run_id, path), b"w" * size) for path in ("/a", "/b"))
            await asyncio.gather(*put_again)
            for path in ("/a", "/b"):
                assert await read(client, of_run(run_id, path)) == b"w" * size
                await client.ask("DELETE", of_run(run_id, path))
    finally:
        ended = True
        await sweeper
    assert await swept(client) == []


@pytest.mark.parametrize("size", SIZES)
async def test_an_upload_whose_process_died_is_found_a_day_later(
    client: Client, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    class Killed(BaseException):
        pass

    def dies(point: str) -> None:
        if point == "artifact.written":
            raise Killed

    async def says_nothing(*_: object) -> None:
        return

    run_id = await new_run(client)
    with monkeypatch.context() as killing:
        killing.setattr(commands, "reach", dies)
        killing.setattr(store, "give_up_objects", says_nothing)
        with pytest.raises(Killed):
            await client.ask("PUT", of_run(run_id, "/a"), raw=b"k" * size)
    assert (await client.ask("GET", of_run(run_id, "/a"))).status == 404
    assert len(await swept(client)) == 1, "it may still be under way"
    await client.running.database.execute(
        "UPDATE loose_objects SET since = now() - interval '25 hours' WHERE object_key LIKE $1",
        f"t/{client.tenant.id}/%",
    )
    assert await swept(client) == []
    assert await loose(client) == 0


async def test_an_upload_that_took_longer_than_a_day_is_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await new_run(client)
    monkeypatch.setattr(store, "GIVEN_UP_SECONDS", -1)
    begin = store.begin_object

    async def begins_and_is_swept(*given: object) -> None:
        await begin(*given)  # type: ignore[arg-type]
        await free_contents(client.running, AT_ONCE)

    monkeypatch.setattr(store, "begin_object", begins_and_is_swept)
    reply = await client.ask("PUT", of_run(run_id, "/a"), raw=b"slow")
    assert (reply.status, b"took too long" in reply.body) == (503, True)
    assert (await stored(client), objects(client), await loose(client)) == ([], [], 0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("left", [None, b"some"])
async def test_lost_bytes_are_told_and_mended_by_the_next_upload(
    client: Client, size: int, left: bytes | None
) -> None:
    run_id = await new_run(client)
    await put(client, of_run(run_id, "/a"), b"m" * size)
    place = the_object(client)
    place.unlink()
    if left is not None:
        place.write_bytes(left)
    reply = await client.ask("GET", of_run(run_id, "/a"))
    assert reply.status == 409
    assert "does not hold the bytes" in msgspec.json.decode(reply.body)["message"]
    await put(client, of_run(run_id, "/b"), b"m" * size)
    for path in ("/a", "/b"):
        assert await read(client, of_run(run_id, path)) == b"m" * size
    assert len(await swept(client)) == 1


@pytest.mark.parametrize("size", SIZES)
async def test_a_body_that_is_not_what_was_said_stores_nothing(client: Client, size: int) -> None:
    run_id = await new_run(client)
    body = b"c" * size
    right = base64.b64encode(hashlib.sha256(body).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    for header, form in (
        ("content-digest", "sha-256=:{}:"),
        ("digest", "sha-256={}"),
        ("x-amz-checksum-sha256", "{}"),
    ):
        said = [(header, form.format(wrong))]
        reply = await client.ask("PUT", of_run(run_id, "/a"), raw=body, headers=said)
        assert reply.status == 400
        assert (await stored(client), objects(client)) == ([], [])
    said = [("content-digest", f"sha-256=:{right}:")]
    assert (await client.ask("PUT", of_run(run_id, "/a"), raw=body, headers=said)).status == 200
    got = await client.ask("GET", of_run(run_id, "/a"))
    assert got.headers["repr-digest"] == f"sha-256=:{right}:"


async def test_a_client_that_has_the_bytes_gets_none(client: Client) -> None:
    run_id = await new_run(client)
    await put(client, of_run(run_id, "/a"), b"hello")
    tag = f'"{hashlib.sha256(b"hello").hexdigest()}"'

    async def asked(**headers: str) -> Reply:
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return await client.ask("GET", of_run(run_id, "/a"), headers=given)

    for known, status, body in ((tag, 304, b""), ('"other"', 200, b"hello")):
        got = await asked(if_none_match=known)
        assert (got.status, got.body, got.headers["etag"]) == (status, body, tag)
    resumed = await asked(range="bytes=2-", if_range=tag)
    assert (resumed.status, resumed.body) == (206, b"llo")
    await put(client, of_run(run_id, "/a"), b"other")
    anew = await asked(range="bytes=2-", if_range=tag)
    assert (anew.status, anew.body) == (200, b"other")


async def test_of_a_file_and_a_folder_of_one_name_sent_at_once_one_is_there(
    client: Client,
) -> None:
    for _ in range(10):
        run_id = await new_run(client)
        replies = await asyncio.gather(
            *(client.ask("PUT", of_run(run_id, path), raw=b"1") for path in ("/a/b", "/a"))
        )
        assert sorted(reply.status for reply in replies) == [200, 400]
