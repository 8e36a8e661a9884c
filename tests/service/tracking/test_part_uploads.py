"""Uploads in parts: whole or nothing, resumed, ended with their credential, and safe to repeat."""

import asyncio
import hashlib
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.contracts.auth import TOKENS, Token, TokenRevoked
from libs.common.events.envelope import Event
from libs.common.events.outbox import Caused, UnitOfWork
from services.tracking.artifacts.folder import Folder
from services.tracking.artifacts.objects import Found
from services.tracking.commands import part_uploads as commands
from services.tracking.commands.contents import free_contents
from services.tracking.consumers import on_revocation
from services.tracking.model.capabilities import Capability, Seal
from services.tracking.state import state_of
from tests.service.tracking.owners import new_run, objects, of_run, stored
from tests.service.tracking.parts import MPU, PARTS, WHOLE, begun
from tests.service.tracking.test_contents import loose, read
from tests.service.tracking.test_quotas import FREE, forget, on_plan
from tests.serving import Client, new_tenant
from tests.signing import access_by
from tests.waiting import eventually


async def test_parts_become_one_file_and_leave_nothing_else(client: Client) -> None:
    upload = await begun(client)
    assert [one["part_number"] for one in upload.credentials] == [1, 2, 3]
    for one in upload.credentials:
        assert one["url"].startswith("http://localhost/api/2.0/mlflow-artifacts/mpu-part?")
        (secret,) = one["headers"].values()
        assert secret not in one["url"]
    sent = await upload.put_all()
    assert (await client.ask("GET", upload.file)).status == 404, "nothing is there before its time"
    assert await stored(client) == []
    for _ in range(2):  # a client that did not hear the answer asks again
        reply = await upload.say("complete", parts=sent)
        assert (reply.status, reply.body) == (200, b"{}")
    assert await read(client, upload.file) == WHOLE
    assert (len(objects(client)), await loose(client)) == (1, 0)
    assert (await upload.put(1, b"late")).status == 404
    assert (await upload.say("abort")).status == 200
    assert await read(client, upload.file) == WHOLE


async def test_a_part_that_is_sent_again_takes_the_place_of_the_first(client: Client) -> None:
    upload = await begun(client)
    first = await upload.put(1, b"half of it")
    sent = await upload.put_all()
    stale = [{**part, "etag": first.headers["etag"]} for part in sent]
    refused = await upload.say("complete", parts=stale)
    assert (refused.status, b"another ETag" in refused.body) == (400, True)
    assert (await upload.say("complete", parts=sent)).status == 200
    assert await read(client, upload.file) == WHOLE
    await free_contents(client.running, 0)
    assert len(objects(client)) == 1


async def test_the_same_bytes_in_parts_and_in_one_piece_are_stored_once(client: Client) -> None:
    upload = await begun(client)
    assert (await client.ask("PUT", of_run(upload.run_id, "/whole"), raw=WHOLE)).status == 200
    assert (await upload.say("complete", parts=await upload.put_all())).status == 200
    assert (len(objects(client)), await loose(client)) == (1, 0)
    tags = [
        (await client.ask("HEAD", path)).headers["etag"]
        for path in (upload.file, of_run(upload.run_id, "/whole"))
    ]
    assert tags == [f'"{hashlib.sha256(WHOLE).hexdigest()}"'] * 2


async def test_what_is_aborted_or_given_up_is_freed(client: Client) -> None:
    upload = await begun(client)
    sent = await upload.put_all()
    assert len(objects(client)) == 3
    for _ in range(2):
        assert (await upload.say("abort")).status == 200
    assert (objects(client), await loose(client)) == ([], 0)
    assert (await upload.put(2, PARTS[1])).status == 404
    assert (await upload.say("complete", parts=sent)).status == 404
    left = await begun(client)
    await left.put_all()
    await client.running.database.execute(
        "UPDATE loose_objects SET since = now() - interval '25 hours' WHERE object_key LIKE $1",
        f"t/{client.tenant.id}/%",
    )
    await free_contents(client.running, 0)
    assert objects(client) == []
    assert (await left.say("complete", parts=sent)).status == 404
    assert await stored(client) == []


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ([], "Missing value for required parameter 'parts'"),
        ([{"part_number": 4, "etag": "x"}], "Part 4 of the upload has not come"),
        ([{"part_number": 1, "etag": "x"}], "another ETag"),
    ],
)
async def test_what_did_not_come_is_not_completed(
    client: Client, named: list[Any], words: str
) -> None:
    upload = await begun(client)
    await upload.put(1, b"1")
    reply = await upload.say("complete", parts=named)
    assert (reply.status, words in msgspec.json.decode(reply.body)["message"]) == (400, True)
    assert await stored(client) == []


@pytest.mark.parametrize("count", [0, -1, 10_001])
async def test_so_many_parts_are_refused(client: Client, count: int) -> None:
    run_id = await new_run(client)
    asked = {"path": "big.bin", "num_parts": count}
    reply = await client.ask("POST", f"{MPU}/create/0/{run_id}/artifacts", asked)
    assert (reply.status, b"num_parts" in reply.body) == (400, True)


async def test_a_capability_is_for_one_part_of_one_upload_for_a_while(client: Client) -> None:
    upload, other = await begun(client), await begun(client.of(new_tenant()))
    seal = state_of(client.running).seal
    ours = Capability(client.tenant.number, UUID(upload.upload_id), 1, seal.until())
    forged = Seal("another secret").sealed(ours)
    (name,) = upload.credentials[0]["headers"]
    (true,) = upload.credentials[0]["headers"].values()
    (of_another,) = other.credentials[0]["headers"].values()
    body, _, mark = true.rpartition(".")
    past = Seal("", clock=lambda: 0)
    past._key = seal._key
    ended = past.sealed(Capability(ours.tenant_no, ours.upload_id, 1, past.until()))
    other_end = "8" if body.endswith("9") else "9"
    for bad in (
        "",
        "x",
        forged,
        f"{body[:-1]}{other_end}.{mark}",
        f"{of_another[:20]}{true[20:]}",
        ended,
    ):
        upload.credentials[0]["headers"] = {name: bad}
        reply = await upload.put(1, b"evil")
        assert (reply.status, msgspec.json.decode(reply.body)["error_code"]) == (
            *(403, "PERMISSION_DENIED"),
        )
    assert objects(client) == []
    unknown = Capability(ours.tenant_no, uuid4(), 1, seal.until())
    upload.credentials[0]["headers"] = {name: seal.sealed(unknown)}
    assert (await upload.put(1, b"evil")).status == 404


async def test_a_part_is_refused_when_its_uploader_may_not_write_any_more(client: Client) -> None:
    subject = f"user-{uuid4()}"
    client.claims = {"sub": subject}
    upload = await begun(client)
    assert (await upload.put(1, b"1")).status == 200
    client.signer.access[subject] = access_by(subject, "viewer", version=2)
    client.running.authority.forget_everything()
    assert (await upload.put(2, b"2")).status in (403, 404)


async def test_an_upload_ends_with_the_token_that_began_it(client: Client) -> None:
    token_id = str(uuid4())
    client.claims = {"act": token_id}
    upload = await begun(client)
    assert (await upload.put(1, b"1")).status == 200
    tenant, number = client.tenant.id, client.tenant.number
    fact = TokenRevoked(version=2, token=Token(token_id=token_id, name="t", subject="user:x"))
    event = Event(
        id=uuid4(),
        type="auth.token.revoked",
        topic=TOKENS.name,
        key=tenant,
        tenant=tenant,
        tenant_no=number,
        subject="test",
        version=2,
        time="",
        traceparent="",
        fact=fact,
    )
    async with client.running.database.transaction(number) as connection:
        await on_revocation(UnitOfWork(connection, Caused(tenant, number, "test")), event)
    assert (await upload.put(2, b"2")).status == 404
    await free_contents(client.running, 0)
    assert objects(client) == []


async def test_a_checksum_and_a_length_hold_for_a_part_too(client: Client) -> None:
    upload = await begun(client)
    for headers in ({"content_md5": "AAAAAAAAAAAAAAAAAAAAAA=="}, {"content_length": "5"}):
        assert (await upload.put(1, b"1234", **headers)).status == 400
    await free_contents(client.running, 0)
    assert objects(client) == []


async def test_parts_count_for_the_quota(client: Client) -> None:
    await on_plan(client, "free")
    upload = await begun(client)
    async with client.running.database.transaction(client.tenant.number) as connection:
        await connection.execute(
            "INSERT INTO artifact_usage VALUES ($1, 0, $2)",
            *(client.tenant.number, FREE.storage_bytes - 100),
        )
    forget(client)
    assert (await upload.put(1, bytes(60))).status == 200
    assert (await upload.put(2, bytes(60))).status == 403
    assert (await upload.put(2, bytes(40))).status == 200


async def test_a_slow_completion_goes_on_while_its_client_asks_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await begun(client)
    sent = await upload.put_all()
    go_on = asyncio.Event()
    find = Folder.find

    async def slowly(folder: Folder, key: str) -> Found | None:
        await go_on.wait()
        return await find(folder, key)

    monkeypatch.setattr(commands, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(Folder, "find", slowly)
    for _ in range(2):
        reply = await upload.say("complete", parts=sent)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert (await upload.put(1, b"late")).status == 404
    go_on.set()

    async def done() -> bool:
        return (await upload.say("complete", parts=sent)).status == 200

    await eventually(done)
    assert await read(client, upload.file) == WHOLE


async def test_an_upload_that_is_aborted_while_it_is_put_together_stores_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = await begun(client)
    sent = await upload.put_all()

    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(commands, "WAIT_SECONDS", 0.1)
    with monkeypatch.context() as stuck:
        stuck.setattr(Folder, "find", never)
        assert (await upload.say("complete", parts=sent)).status == 503
        assert (await upload.say("abort")).status == 200
    await free_contents(client.running, 0)
    assert (await stored(client), objects(client)) == ([], [])


@pytest.mark.parametrize("whose", ["of another path", "of another tenant"])
async def test_an_upload_is_not_ended_by_who_names_it_from_elsewhere(
    client: Client, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    upload = await begun(client)
    sent = await upload.put_all()
    other = await begun(client if whose == "of another path" else client.of(new_tenant()))
    go_on = asyncio.Event()
    find = Folder.find

    async def slowly(folder: Folder, key: str) -> Found | None:
        await go_on.wait()
        return await find(folder, key)

    monkeypatch.setattr(commands, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(Folder, "find", slowly)
    assert (await upload.say("complete", parts=sent)).status == 503
    (composing,) = state_of(client.running).composing.values()
    assert (await other.say("abort", upload_id=upload.upload_id)).status == 200
    go_on.set()
    await asyncio.wait({composing})
    assert not composing.cancelled()
    assert await read(client, upload.file) == WHOLE
