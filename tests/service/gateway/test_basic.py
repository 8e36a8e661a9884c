"""Basic at the front door: tenant/login with a password, as fast as a token, and without a trace."""

import asyncio
from functools import partial
from typing import Any

import mlflow
import pytest
import structlog
from mlflow.exceptions import RestException
from redis.asyncio import Redis

from libs.common.http.types import ASGIApp
from services.gateway.backoff import MOST_OF_LOGIN
from services.gateway.credentials import Presented
from services.gateway.metrics import FOUND_IN
from services.gateway.shared_cache import entry_name
from tests.service.auth.installation import Auth
from tests.service.auth.people import PASSWORD, TOKENS, add_tenant, as_owner, join
from tests.service.gateway.front import RUNS, Front, decoded, listening, opened
from tests.service.gateway.passwords import MINE, NEXT, basic, hashed
from tests.waiting import eventually


async def test_a_password_is_taken_and_any_user_name_before_a_token(
    auth: Auth, front: Front, alice: str
) -> None:
    reply = await front.ask(headers=[basic(f"default/{alice}", MINE)])
    assert reply.status == 200
    caller = front.tracking.callers[-1]
    assert caller is not None
    assert caller.actor.startswith("login:")
    assert (caller.workspace_id, caller.scopes) == (1, ("*",))
    bare = await front.ask(headers=[basic(alice, MINE)])
    assert bare.body == reply.body
    by_token = await front.ask(headers=[basic(f"default/{alice}", auth.first_token)])
    assert by_token.status == 200
    assert by_token.body != reply.body
    sent = b"".join(value for _, value in front.tracking.asked[-2]["headers"])
    assert MINE.encode() not in sent
    assert basic(alice, MINE)[1].encode() not in sent


async def test_a_bare_login_in_several_tenants_is_told_the_form(
    auth: Auth, front: Front, alice: str
) -> None:
    user_id = await as_owner(auth, 1, "SELECT user_id FROM users WHERE login = $1", alice)
    await join(auth, await add_tenant(auth, "a-second-team"), user_id)  # type: ignore[arg-type]
    reply = await front.ask(headers=[basic(alice, MINE)])
    assert reply.status == 401
    assert "tenant/login" in decoded(reply)["message"]
    assert (await front.ask(headers=[basic(f"a-second-team/{alice}", MINE)])).status == 200


async def test_a_hundred_at_once_cost_one_hash_and_the_next_are_found_in_memory(
    front: Front, alice: str
) -> None:
    before = hashed()
    header = basic(f"default/{alice}", MINE)
    replies = await asyncio.gather(*(front.ask(headers=[header]) for _ in range(100)))
    assert {reply.status for reply in replies} == {200}
    assert hashed() == before + 1
    found = FOUND_IN["memory"]._value.get()
    for _ in range(50):
        assert (await front.ask(headers=[header])).status == 200
    assert FOUND_IN["memory"]._value.get() == found + 50
    assert hashed() == before + 1


async def test_a_password_enters_a_workspace_and_asking_for_none_is_no_guess(
    front: Front, alice: str
) -> None:
    path, json = "/api/3.0/mlflow/workspaces", [("content-type", "application/json")]
    made = await front.ask(
        path,
        token=front.auth.first_token,
        method="POST",
        headers=json,
        body=b'{"name": "signed-in"}',
    )
    assert made.status == 201, made.body
    mine = basic(f"default/{alice}", MINE)
    # More than may be wrong in a minute; the password is right each time.
    for number in range(MOST_OF_LOGIN + 1):
        name = f"nowhere-{number}"
        reply = await front.ask(headers=[mine, ("x-mlflow-workspace", name)])
        assert (reply.status, name in decoded(reply)["message"]) == (404, True)
    for header, workspace in (
        ([("x-mlflow-workspace", "signed-in")], "signed-in"),
        ([], "default"),
    ):
        assert (await front.ask(headers=[mine, *header])).status == 200
        caller = front.tracking.callers[-1]
        assert caller is not None
        assert caller.workspace == workspace


async def test_another_password_ends_the_old_one_at_every_gateway(
    auth: Auth, front: Front, alice: str
) -> None:
    old, new = basic(f"default/{alice}", MINE), basic(f"default/{alice}", NEXT)
    async with opened(auth, MAESTRO_INSTANCE="second") as second:
        for gateway in (front, second):
            assert (await gateway.ask(headers=[old])).status == 200
        body = f'{{"old": "{MINE}", "new": "{NEXT}"}}'.encode()
        sent = [old, ("content-type", "application/json")]
        assert (await front.ask(PASSWORD, method="PUT", headers=sent, body=body)).status == 204

        async def refused(gateway: Front) -> bool:
            return (await gateway.ask(headers=[old])).status == 401

        for gateway in (front, second):
            await eventually(partial(refused, gateway), within=10)
            assert (await gateway.ask(headers=[new])).status == 200


async def test_what_a_password_opens_is_not_in_redis(auth: Auth, front: Front, alice: str) -> None:
    """What a token opens is, and was asked for later, so nothing is on its way any more."""
    _, token = await auth.new_token(auth.first_token)
    async with Redis.from_url(front.running.shared.redis_url) as redis:

        async def entries() -> set[bytes]:
            found = await redis.keys("gateway:passport:*")
            return {name for name in found if isinstance(name, bytes)}

        before = await entries()
        assert (await front.ask(headers=[basic(alice, MINE)])).status == 200
        assert (await front.ask(token=token)).status == 200
        mark = entry_name(Presented("Bearer", token)).encode()

        async def there() -> bool:
            return mark in await entries()

        await eventually(there)
        assert await entries() - before <= {mark}


async def test_passwords_are_in_no_log_and_no_answer(
    front: Front, alice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = (MINE, NEXT, basic(alice, MINE)[1][6:])
    with structlog.testing.capture_logs() as logs:
        replies = [
            await front.ask(headers=[basic(f"default/{alice}", MINE)]),
            await front.ask(headers=[basic(f"default/{alice}", NEXT)]),
            await front.ask(headers=[basic(NEXT, MINE)]),
            await front.ask(headers=[("authorization", f"Bearer {MINE}")]),
        ]
    out = str(logs) + "".join(capsys.readouterr())
    assert "sign_in_refused" in out
    for secret in secrets:
        assert secret not in out
        assert not any(secret.encode() in reply.body for reply in replies)


@pytest.fixture
def stock_client(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The mlflow client without a credential of its own."""
    for name in ("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return monkeypatch


async def test_the_stock_client_signs_in_with_its_environment(
    front: Front, alice: str, stock_client: pytest.MonkeyPatch
) -> None:
    def run_of(url: str) -> Any:
        return mlflow.MlflowClient(tracking_uri=url).get_run("0" * 32)

    app: ASGIApp = front.app
    async with listening(app) as url:
        stock_client.setenv("MLFLOW_TRACKING_USERNAME", f"default/{alice}")
        stock_client.setenv("MLFLOW_TRACKING_PASSWORD", MINE)
        asked = len(front.tracking.asked)
        await asyncio.to_thread(run_of, url)
        assert len(front.tracking.asked) == asked + 1
        assert front.tracking.asked[-1]["path"] == RUNS
        stock_client.setenv("MLFLOW_TRACKING_PASSWORD", NEXT)
        with pytest.raises(RestException, match="user name or password is wrong"):
            await asyncio.to_thread(run_of, url)
        assert len(front.tracking.asked) == asked + 1


async def test_tokens_are_kept_watch_over_through_the_gateway(auth: Auth, front: Front) -> None:
    reply = await front.ask(f"{TOKENS}/inventory", token=auth.first_token)
    assert reply.status == 200
    assert decoded(reply)["tokens"]
