"""What is wrong with a message is told on its dead letter, and its neighbours are stored."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from libs.common.bus.redrive import redrive
from libs.common.contracts.auth import Token, TokenChanged, TokenRevoked
from libs.common.events.envelope import Event
from libs.common.events.outbox import Caused, UnitOfWork
from services.tracking.consumers import on_revocation, on_token_changed
from services.tracking.model.passes import Pass
from services.tracking.state import state_of
from tests.service.common.letters import Letter, administrator
from tests.service.tracking.making import data_of, new_experiment, new_run
from tests.service.tracking.people import allow, person
from tests.service.tracking.producing import DEAD, SOON, Producing, Sending, producing, series
from tests.serving import Client, new_tenant
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def producer(
    tracking: Client, platform_environment: dict[str, str]
) -> AsyncIterator[Producing]:
    """A producer, while tracking runs."""
    async with producing(platform_environment) as running:
        yield running


async def stored(client: Client, run_id: str, key: str) -> bool:
    """Whether a run has a metric."""
    return key in {metric["key"] for metric in (await data_of(client, run_id)).get("metrics", ())}


async def judged(producer: Producing, client: Client, run_id: str, bad: Sending) -> Letter:
    """The dead letter of a bad message, sent between two good ones of the same run that are stored."""
    before = await producer.message(client, run_id, metrics=[series("before", 1)])
    after = await producer.message(client, run_id, metrics=[series("after", 1)])
    await producer.send(before, bad, after)
    (letter,) = await producer.buried(bad)
    await eventually(lambda: stored(client, run_id, "after"), within=SOON)
    assert await stored(client, run_id, "before")
    assert letter.value == bad.body
    return letter


def field_of(letter: Letter) -> str:
    """Which field the letter says is wrong."""
    return letter.headers["maestro_dead_field"].decode()


Change = Callable[[Sending], None]


def _header(name: str, value: bytes | None) -> Change:
    def change(message: Sending) -> None:
        if value is None:
            del message.headers[name]
        else:
            message.headers[name] = value

    return change


def _body(body: bytes) -> Change:
    def change(message: Sending) -> None:
        message.body = body

    return change


def _key(message: Sending) -> None:
    message.key += b"0"


# What is changed of a good message before it is signed, and which field is blamed for what.
FORMS: dict[str, tuple[Change, str, str]] = {
    "no JSON": (_body(b"{"), "body", "truncated"),
    "unknown field": (_body(b'{"run_id": "RUN", "metric": []}'), "body", "unknown field `metric`"),
    "no run": (_body(b"{}"), "body", "missing required field `run_id`"),
    "a text for a number": (
        _body(b'{"run_id": "RUN", "metrics": [{"key": "m", "values": ["x"], "times": [1]}]}'),
        "metrics[0].values[0]",
        "Invalid enum value 'x'",
    ),
    "columns of two lengths": (
        _body(b'{"run_id": "RUN", "metrics": [{"key": "m", "values": [1], "times": []}]}'),
        "metrics[0].times",
        "0 for 1 values",
    ),
    "a bad name": (
        _body(b'{"run_id": "RUN", "metrics": [{"key": "../m", "values": [1], "times": [1]}]}'),
        "metrics[0]",
        "metrics[0].name",
    ),
    "an alien model": (
        _body(
            b'{"run_id": "RUN", "metrics": [{"key": "m", "values": [1], "times": [1],'
            b' "model_id": "m-' + b"a" * 32 + b'"}]}'
        ),
        "metrics[0].model_id",
        "not found",
    ),
    "NUL": (_body(b'{"run_id": "RUN", "tags": {"a": "\\u0000"}}'), "tags", "NUL"),
    "too many tags": (
        _body(msgspec.json.encode({"run_id": "RUN", "tags": {str(i): "" for i in range(101)}})),
        "body",
        "at most 100 tags",
    ),
    "another key": (_key, "key", "run_id"),
    "another type": (_header("ce_type", b"tracking.ingest.gone"), "ce_type", "run-logged"),
    "another form": (_header("content-type", b"text/plain"), "content-type", "msgpack"),
    "no version": (_header("ce_specversion", None), "ce_specversion", "1.0"),
    "too long": (_body(b" " * 1_000_001), "body", "longer than 1000000"),
}


@pytest.mark.parametrize("name", FORMS)
async def test_a_message_out_of_form(client: Client, producer: Producing, name: str) -> None:
    change, field, reason = FORMS[name]
    run_id = await new_run(client)
    bad = await producer.message(client, run_id, tags={"bad": "yes"})
    change(bad)
    bad.body = bad.body.replace(b"RUN", run_id.encode())
    letter = await judged(producer, client, run_id, bad.sign())
    assert (field_of(letter), reason in letter.reason) == (field, True), letter.reason


async def test_a_message_that_nobody_vouches_for(client: Client, producer: Producing) -> None:
    run_id = await new_run(client)
    unsigned, forged, made_up = [
        await producer.message(client, run_id, tags={"bad": "yes"}) for _ in range(3)
    ]
    unsigned.body = unsigned.body.replace(b"yes", b"no!")
    forged.secret = b"0" * 64
    forged.sign()
    text, _, code = made_up.headers["maestro-pass"].partition(b".")
    made_up.headers["maestro-pass"] = text + b"A." + code
    made_up.sign()
    blamed = [field_of(await judged(producer, client, run_id, bad)) for bad in (unsigned, forged)]
    assert blamed == ["maestro-signature", "maestro-signature"]
    assert field_of(await judged(producer, client, run_id, made_up)) == "maestro-pass"
    assert "bad" not in {tag["key"] for tag in (await data_of(client, run_id))["tags"]}


async def test_a_run_of_another_tenant(client: Client, producer: Producing) -> None:
    run_id, other = await new_run(client), client.of(new_tenant())
    theirs = await new_run(other)
    # With the own tenant's key, and with the other's, whose pass one does not have.
    own = await producer.message(client, theirs, metrics=[series("stolen", 1)])
    letter = await judged(producer, client, run_id, own)
    assert (field_of(letter), letter.reason) == ("run_id", f"Run with id={theirs} not found")
    alien = await producer.message(client, theirs, metrics=[series("stolen", 1)])
    alien.key = f"{other.tenant.id}/{theirs}".encode()
    assert field_of(await judged(producer, client, run_id, alien.sign())) == "key"
    assert not await stored(other, theirs, "stolen")


async def test_an_expired_pass(client: Client, producer: Producing) -> None:
    run_id, now = await new_run(client), int(time.time())
    ended = Pass(
        tenant=client.tenant.id,
        tenant_no=client.tenant.number,
        workspace_id=1,
        subject="tester",
        actor="token-1",
        scopes=("*",),
        epoch=0,
        issued_at=now - 100,
        expires_at=now - 2,
    )
    text, secret = state_of(client.running).passes.sealed(ended)
    bad = await producer.message(
        client, run_id, given={"pass": text, "secret": secret}, tags={"bad": "yes"}
    )
    letter = await judged(producer, client, run_id, bad)
    assert (field_of(letter), letter.reason) == (
        "maestro-pass",
        "it had ended when the message came",
    )


@pytest.mark.parametrize("how", ["revoked", "rotated"])
async def test_a_pass_of_a_credential_that_ended(
    client: Client, producer: Producing, how: str
) -> None:
    run_id = await new_run(client)
    client.claims["act"] = actor = str(uuid.uuid4())
    bad = await producer.message(client, run_id, tags={"bad": "yes"})
    token = Token(token_id=actor, name="t", subject="tester", expires_at=int(time.time() * 1000))
    fact, handler = {
        "revoked": (TokenRevoked(version=2, token=token), on_revocation),
        "rotated": (TokenChanged(version=2, token=token), on_token_changed),
    }[how]
    tenant = client.tenant
    event = Event(
        *(uuid.uuid4(), "auth.token.revoked", "auth.token.v1", actor, tenant.id, tenant.number),
        *("tester", 2, "", "", fact),
    )
    async with client.running.database.transaction(tenant.number) as connection:
        caused = Caused(tenant.id, tenant.number, "tester")
        await handler(UnitOfWork(connection, caused), event)
    other = client.of(tenant)
    letter = await judged(producer, other, run_id, bad)
    assert (field_of(letter), "revoked" in letter.reason) == ("maestro-pass", True)


async def test_what_the_owner_of_the_pass_may_not_do(client: Client, producer: Producing) -> None:
    mine, theirs = await new_experiment(client, "mine/a"), await new_experiment(client, "theirs/a")
    run_id, hidden = await new_run(client, mine), await new_run(client, theirs)
    member = person(client, "", allow("mine/*", "run.log", "run.read", "experiment.read"))
    for told, words in (
        ({"status": "FINISHED"}, "takes the permission run.update"),
        ({"create": {"experiment_id": mine, "start_time": 1}}, "takes the permission run.create"),
    ):
        bad = await producer.message(member, run_id, **told)
        letter = await judged(producer, member, run_id, bad)
        assert (field_of(letter), words in letter.reason) == ("run_id", True), letter.reason
    letter = await judged(
        producer, member, run_id, await producer.message(member, hidden, tags={"bad": "yes"})
    )
    assert letter.reason == f"Run with id={hidden} not found"


async def test_params_keep_their_values(client: Client, producer: Producing) -> None:
    run_id = await new_run(client, params={"old": "1"})
    bad = await producer.message(client, run_id, params={"old": "2"}, tags={"bad": "yes"})
    letter = await judged(producer, client, run_id, bad)
    assert (field_of(letter), "as '1'" in letter.reason) == ("params.old", True)
    first = await producer.message(client, run_id, params={"new": "1", "old": "1"})
    second = await producer.message(client, run_id, params={"new": "2"})
    await producer.send(first, second)
    (letter,) = await producer.buried(second)
    assert field_of(letter) == "params.new"
    data = await data_of(client, run_id)
    assert {p["key"]: p["value"] for p in data["params"]} == {"old": "1", "new": "1"}
    assert "bad" not in {tag["key"] for tag in data["tags"]}


async def test_a_run_that_is_there_in_another_experiment(
    client: Client, producer: Producing
) -> None:
    run_id, other = await new_run(client), await new_experiment(client)
    bad = await producer.message(
        client, run_id, create={"experiment_id": other, "start_time": 1}, tags={"bad": "yes"}
    )
    letter = await judged(producer, client, run_id, bad)
    assert field_of(letter) == "create.experiment_id"
    for number, words in (
        ("99999", "No Experiment with id=99999 exists"),
        ("9999999999", "No Exp"),
    ):
        create: dict[str, Any] = {"experiment_id": number, "start_time": 1}
        bad = await producer.message(client, uuid.uuid4().hex, create=create)
        letter = await judged(producer, client, run_id, bad)
        assert (field_of(letter), words in letter.reason) == ("create", True), letter.reason


async def test_a_letter_that_is_put_back_is_applied(
    client: Client, producer: Producing, platform_environment: dict[str, str]
) -> None:
    run_id = uuid.uuid4().hex
    early = await producer.message(client, run_id, metrics=[series("early", 3)])
    await producer.send(early)
    (letter,) = await producer.buried(early)
    assert letter.reason == f"Run with id={run_id} not found"
    create = {"experiment_id": await new_experiment(client), "start_time": 1}
    await producer.tell(client, run_id, create=create)

    async def there() -> bool:
        return (
            await client.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={run_id}")
        ).status == 200

    await eventually(there, within=SOON)
    # Its pass has ended meanwhile, which it had not when the message came first.
    passes = state_of(client.running).passes
    (granted, secret) = passes._known[early.headers["maestro-pass"]]
    ends = int(letter.headers["maestro-arrival"].partition(b".")[0]) // 1000 + 1
    passes._known[early.headers["maestro-pass"]] = (
        msgspec.structs.replace(granted, expires_at=ends),
        secret,
    )
    await eventually(lambda: time.time() > ends + 0.1, within=5)
    late = await producer.message(client, run_id, tags={"late": "yes"})
    assert late.headers["maestro-pass"] == early.headers["maestro-pass"]
    await producer.send(late)
    (letter,) = await producer.buried(late)
    assert letter.reason == "it had ended when the message came"
    moved = await redrive(administrator(platform_environment), [DEAD])
    assert moved[DEAD] > 0
    await eventually(lambda: stored(client, run_id, "early"), within=SOON)
