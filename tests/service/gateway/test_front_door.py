"""Through the gateway: credentials become principals, forged ones nothing, paths find their owner."""

import base64

import pytest
from redis.asyncio import Redis

from services.auth.commands import workspaces as deletion
from services.auth.model.secrets import new_secret
from tests.service.gateway.front import RUNS, Front, decoded
from tests.waiting import eventually


def basic(user: str, password: str) -> tuple[str, str]:
    """A Basic header."""
    return "authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def test_a_token_reaches_its_service_as_a_principal_only(front: Front) -> None:
    reply = await front.ask(token=front.auth.first_token)
    assert (reply.status, decoded(reply)["service"]) == (200, "tracking")
    caller = front.tracking.callers[-1]
    assert caller is not None
    assert caller.subject.startswith("user:")
    assert caller.audience == "tracking"
    names = [name for name, _ in front.tracking.asked[-1]["headers"]]
    assert b"authorization" not in names
    assert front.auth.first_token.encode() not in b"".join(
        value for _, value in front.tracking.asked[-1]["headers"]
    )


async def test_the_same_token_as_a_password_is_the_same_caller(front: Front) -> None:
    by_token = await front.ask(token=front.auth.first_token)
    by_password = await front.ask(headers=[basic("whoever", front.auth.first_token)])
    assert decoded(by_password)["subject"] == decoded(by_token)["subject"]


async def test_each_service_gets_a_principal_of_its_own(front: Front) -> None:
    path = "/ajax-api/2.0/mlflow/registered-models/get"
    reply = await front.ask(path, token=front.auth.first_token)
    assert decoded(reply)["service"] == "registry"
    assert front.registry.callers[-1] is not None
    assert front.registry.callers[-1].audience == "registry"


@pytest.mark.parametrize(
    "name",
    ["X-Maestro-Principal", "x-maestro-principal", "X_Maestro_Principal", "X-MAESTRO-PRINCIPAL"],
)
async def test_a_forged_principal_has_no_effect(front: Front, name: str) -> None:
    _, other = await front.auth.new_token(front.auth.first_token)
    own = await front.ask(token=other)
    stolen = await front.auth.principal(front.auth.first_token, "tracking")
    for forged in (stolen, "x.y.z", ""):
        reply = await front.ask(token=other, headers=[(name, forged), (name, forged)])
        assert (reply.status, reply.body) == (200, own.body)
        assert front.tracking.callers[-1] is not None
        assert front.tracking.callers[-1].token != stolen

        asked = len(front.tracking.asked)
        assert (await front.ask(headers=[(name, forged)])).status == 401
        assert len(front.tracking.asked) == asked


async def forget_guesses(front: Front) -> None:
    """Passwords that other tests guessed from here, a minute ago or less, count no more."""
    async with Redis.from_url(front.auth.environment["MAESTRO_REDIS_URL"]) as store:
        async for name in store.scan_iter("gateway:failed:*"):
            await store.delete(name)


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        (None, "No credential came"),
        (("authorization", "Bearer nonsense"), "A Bearer token came"),
        (("authorization", f"Bearer {new_secret()}"), "no such token"),
        (basic("user", "password"), "~/.mlflow/credentials"),
        (("authorization", "Digest x"), "'Digest'"),
    ],
)
async def test_other_credentials_are_refused_in_words_that_help(
    front: Front, credential: tuple[str, str] | None, words: str
) -> None:
    await forget_guesses(front)
    asked = len(front.tracking.asked)
    reply = await front.ask(headers=[credential] if credential else [])
    assert reply.status == 401
    assert decoded(reply)["error_code"] == "UNAUTHENTICATED"
    assert words in decoded(reply)["message"]
    assert "Bearer" in reply.headers["www-authenticate"]
    assert "Basic" in reply.headers["www-authenticate"]
    assert len(front.tracking.asked) == asked


@pytest.mark.parametrize("path", ["/", "/api/2.0/mlflow/nothing", "/graphql/x"])
async def test_what_nobody_serves_is_mlflows_404(front: Front, path: str) -> None:
    reply = await front.ask(path, token=front.auth.first_token, method="POST")
    assert (reply.status, decoded(reply)["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize("path", ["/internal/token", "/.well-known/jwks.json", "/internal/"])
async def test_what_is_between_services_is_not_served_outside(front: Front, path: str) -> None:
    for method in ("GET", "POST"):
        reply = await front.ask(path, token=front.auth.first_token, method=method)
        assert (reply.status, decoded(reply)["code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow-artifacts/artifacts/../../x",
        "/api/2.0/mlflow/runs/../../../internal/token",
        "/api/maestro/v1/tokens/../../../../internal/token",
    ],
)
async def test_paths_that_climb_are_refused_before_any_service_sees_them(
    front: Front, path: str
) -> None:
    asked = len(front.tracking.asked)
    reply = await front.ask(path, token=front.auth.first_token)
    assert reply.status == 400
    assert b"Invalid path" in reply.body
    assert len(front.tracking.asked) == asked


async def test_an_unknown_workspace_is_refused_in_mlflows_words(front: Front) -> None:
    header = [("x-mlflow-workspace", "team")]
    for _ in range(2):  # the second time from memory
        reply = await front.ask(token=front.auth.first_token, headers=header)
        assert reply.status == 404
        assert decoded(reply)["error_code"] == "RESOURCE_DOES_NOT_EXIST"
        assert decoded(reply)["message"] == "Workspace 'team' not found"
    odd = await front.ask(token=front.auth.first_token, headers=[("x-mlflow-workspace", "No!")])
    assert (odd.status, decoded(odd)["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    for own in (" ", "", "default", " default "):
        reply = await front.ask(token=front.auth.first_token, headers=[("x-mlflow-workspace", own)])
        assert reply.status == 200
    info = await front.ask("/api/3.0/mlflow/server-info", headers=header)
    assert info.status == 200


async def test_a_workspace_is_entered_by_header_and_left_when_it_is_deleted(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "CLEARED_WITHIN_SECONDS", 0.0)  # nobody hears of it here
    token = front.auth.first_token
    path = "/api/3.0/mlflow/workspaces"
    json = [("content-type", "application/json")]
    body = b'{"name": "team-x"}'
    made = await front.ask(path, token=token, method="POST", headers=json, body=body)
    assert made.status == 201
    header = [("x-mlflow-workspace", "team-x")]
    assert (await front.ask(token=token, headers=header)).status == 200
    inside = front.tracking.callers[-1]
    assert (await front.ask(token=token)).status == 200
    outside = front.tracking.callers[-1]
    assert inside is not None
    assert outside is not None
    assert (inside.workspace, outside.workspace) == ("team-x", "default")
    assert inside.workspace_id != outside.workspace_id == 1

    gone = await front.ask(f"{path}/team-x", token=token, method="DELETE", query="mode=CASCADE")
    assert gone.status == 204, gone.body

    async def refused() -> bool:
        return (await front.ask(token=token, headers=header)).status == 404

    await eventually(refused, within=20)
    assert (await front.ask(token=token)).status == 200


@pytest.mark.parametrize(
    "path", ["/version", "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info"]
)
async def test_public_paths_need_no_credential_and_carry_no_principal(
    front: Front, path: str
) -> None:
    forged = await front.auth.principal(front.auth.first_token, "tracking")
    for headers in ([], [("x-maestro-principal", forged)], [("authorization", "Bearer wrong")]):
        reply = await front.ask(path, headers=headers)
        assert (reply.status, decoded(reply)["subject"]) == (200, None)
        assert front.tracking.callers[-1] is None


async def test_health_answers_by_itself_and_readiness_asks_everybody(front: Front) -> None:
    assert (await front.ask("/health")).body == b"OK"
    assert (await front.ask("/ready")).status == 200
    front.registry.ready = False
    try:
        reply = await front.ask("/ready")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert decoded(reply) == {"auth": "ready", "tracking": "ready", "registry": "not ready"}
    finally:
        front.registry.ready = True


async def test_members_make_and_end_tokens_through_the_gateway(front: Front) -> None:
    tokens = "/api/maestro/v1/tokens"
    made = await front.ask(
        tokens,
        token=front.auth.first_token,
        method="POST",
        headers=[("content-type", "application/json")],
        body=b'{"name": "ci"}',
    )
    assert made.status == 201
    assert (await front.ask(token=decoded(made)["token"])).status == 200
    gone = f"{tokens}/{decoded(made)['id']}"
    assert (await front.ask(gone, token=front.auth.first_token, method="DELETE")).status == 204


async def test_trace_and_request_id_pass_through(front: Front) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    reply = await front.ask(
        token=front.auth.first_token,
        headers=[("traceparent", trace), ("x-request-id", "asked-here")],
    )
    seen = dict(front.tracking.asked[-1]["headers"])
    assert seen[b"traceparent"].decode() == trace
    assert seen[b"x-request-id"] == b"asked-here"
    assert reply.headers["x-request-id"] == "asked-here"


async def test_another_host_or_origin_is_refused(front: Front) -> None:
    foreign = await front.ask(token=front.auth.first_token, headers=[("host", "evil.example")])
    assert foreign.status == 403
    write = await front.ask(
        RUNS,
        token=front.auth.first_token,
        method="POST",
        headers=[("origin", "https://evil.example")],
    )
    assert write.status == 403
