"""Workspaces at auth: made, described, shown to those who may enter, and chosen by name."""

import asyncio
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from libs.common.contracts.plans import PLANS
from libs.common.events.republish import republish
from libs.common.http.calling import Reply
from libs.common.principal import Principal, Verifier
from services.auth.model.secrets import new_secret
from services.auth.store.identity import add_member, add_token
from tests.service.auth.colleagues import grant, join
from tests.service.auth.installation import PRINCIPAL, Auth
from tests.service.auth.tenancy import new_place, operate
from tests.service.auth.workspace_asking import ask, names, new_token_of, rows, told
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guest(auth: Auth) -> str:
    """A token of a member without a role, who may enter the workspace `shared` alone."""
    assert (await ask(auth, "POST", body={"name": "shared"})).status == 201
    number = (await rows(auth))["shared"]["workspace_id"]
    secret, user_id = new_secret(), uuid4()
    async with auth.running.database.transaction(1) as connection:
        await add_member(connection, 1, user_id, f"guest-{user_id}", "viewer")
        await connection.execute(
            "UPDATE memberships SET role = NULL WHERE tenant_no = 1 AND user_id = $1", user_id
        )
        await connection.execute(
            "INSERT INTO grants (tenant_no, grant_id, user_id, effect, role, kind, workspace_id,"
            " granted_by) VALUES (1, $1, $2, 'allow', 'viewer', 'workspace', $3, 'test')",
            *(uuid4(), user_id, number),
        )
        await add_token(connection, 1, new_token_of(secret, user_id))
    return secret


async def test_a_workspace_is_made_shown_and_described(auth: Auth) -> None:
    assert "default" in await names(auth)
    made = await ask(auth, "POST", body={"name": "team-a", "description": "ours"})
    assert (made.status, msgspec.json.decode(made.body)) == (
        201,
        {"workspace": {"name": "team-a", "description": "ours"}},
    )
    assert "team-a" in await names(auth)
    for body, shown in (({"description": "new"}, "new"), ({"default_artifact_root": ""}, "new")):
        changed = await ask(auth, "PATCH", "team-a", body)
        assert changed.status == 200, changed.body
        got = await ask(auth, "GET", "team-a")
        assert changed.body == got.body
        assert msgspec.json.decode(got.body)["workspace"]["description"] == shown
    bare = await ask(auth, "POST", body={"name": "team-b"})
    assert msgspec.json.decode(bare.body) == {"workspace": {"name": "team-b"}}


# The words are those of `mlflow server --enable-workspaces` 3.17.2, asked the same.
@pytest.mark.parametrize(
    ("method", "name", "body", "status", "message"),
    [
        ("POST", "", {"name": "twice"}, 400, "Workspace 'twice' already exists."),
        ("POST", "", {"name": "default"}, 400, "is reserved and cannot be created"),
        ("POST", "", {"name": "T"}, 400, "must be between 2 and 63 characters."),
        ("POST", "", {"name": "x" * 64}, 400, "must be between 2 and 63 characters."),
        (
            "POST",
            "",
            {"name": "Te_"},
            400,
            "must match the pattern ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        ),
        ("POST", "", {"name": "ok\n"}, 400, "must match the pattern"),
        ("POST", "", {"name": "api"}, 400, "Workspace name 'api' is reserved and cannot be used."),
        ("POST", "", {}, 400, "Missing value for required parameter 'name'."),
        ("POST", "", {"name": 5}, 400, "Invalid value 5 for parameter 'name' supplied"),
        (
            "POST",
            "",
            {"name": "r1", "default_artifact_root": "s3://x"},
            400,
            "artifact_root cannot",
        ),
        (
            "POST",
            "",
            {"name": "r2", "trace_archival_config": {"location": "s3://x"}},
            400,
            "trace_archival_config cannot",
        ),
        ("POST", "", {"name": "r3", "description": "x" * 10_001}, 400, "maximum length of 10000"),
        ("GET", "nope", None, 404, "Workspace 'nope' not found"),
        ("GET", "NOPE", None, 400, "must match the pattern"),
        ("PATCH", "nope", {"description": "x"}, 404, "Workspace 'nope' not found"),
        ("PATCH", "twice", {}, 400, "Workspace update must have at least one key"),
        (
            "DELETE",
            "default",
            None,
            400,
            "The 'default' workspace is reserved and cannot be deleted",
        ),
        ("DELETE", "nope", None, 404, "Workspace 'nope' not found"),
    ],
)
async def test_refusals_are_mlflows(
    auth: Auth, method: str, name: str, body: object, status: int, message: str
) -> None:
    await ask(auth, "POST", body={"name": "twice"})
    reply = await ask(auth, method, name, body)
    assert told(reply)[0] == status
    assert message in told(reply)[2]
    unknown = await ask(auth, "DELETE", "twice", query="mode=ANY")
    assert "Must be one of: SET_DEFAULT, CASCADE, RESTRICT" in told(unknown)[2]


async def test_a_guest_sees_and_enters_one_workspace_and_others_are_as_missing(
    auth: Auth, guest: str
) -> None:
    await ask(auth, "POST", body={"name": "hidden"})
    assert await names(auth, guest) == ["shared"]
    for method, body in (("GET", None), ("PATCH", {"description": "x"}), ("DELETE", None)):
        hidden = told(await ask(auth, method, "hidden", body, token=guest))
        absent = told(await ask(auth, method, "absent", body, token=guest))
        assert hidden == (404, "RESOURCE_DOES_NOT_EXIST", "Workspace 'hidden' not found")
        assert absent == (404, "RESOURCE_DOES_NOT_EXIST", "Workspace 'absent' not found")
    assert (await ask(auth, "GET", "shared", token=guest)).status == 200
    for method, body in (("PATCH", {"description": "x"}), ("DELETE", None)):
        status, code, message = told(await ask(auth, method, "shared", body, token=guest))
        assert (status, code) == (403, "PERMISSION_DENIED")
        assert "workspace.manage on workspace 'shared'. Ask an admin" in message
    status, code, message = told(await ask(auth, "POST", body={"name": "mine"}, token=guest))
    assert (status, code) == (403, "PERMISSION_DENIED")
    assert "workspace.create" in message


async def test_a_request_chooses_a_workspace_that_its_holder_may_enter(
    auth: Auth, guest: str
) -> None:
    await ask(auth, "POST", body={"name": "hidden"})
    number = (await rows(auth))["shared"]["workspace_id"]
    inside = await auth.exchange(guest, "tracking", workspace="shared")
    assert inside.status == 200, inside.body
    caller = await _verified(auth, inside)
    assert (caller.workspace, caller.workspace_id) == ("shared", number)
    own = await _verified(auth, await auth.exchange(guest, "tracking"))
    assert (own.workspace, own.workspace_id) == ("default", 1)
    for name in ("hidden", "absent", "default"):
        reply = await auth.exchange(guest, "tracking", workspace=name)
        assert reply.status == 400
        assert msgspec.json.decode(reply.body) == {
            "error": "invalid_request",
            "error_description": f"Workspace '{name}' not found",
            "workspace_refused": True,
        }
    # What is exchanged further stays where it is.
    principal = msgspec.json.decode(
        (await auth.exchange(guest, "registry", workspace="shared")).body
    )["access_token"]
    further = await auth.exchange(principal, "tracking", kind=PRINCIPAL, client="registry")
    assert (await _verified(auth, further)).workspace == "shared"


async def test_who_is_denied_a_workspace_is_kept_out_without_naming_it_too(auth: Auth) -> None:
    await ask(auth, "POST", body={"name": "open-to-all"})
    owner, shut = await join(auth, "owner"), await join(auth, "contributor")
    narrow = await join(auth, "contributor", scopes=("experiment.read",))
    for one in (shut, narrow):
        assert (await auth.exchange(one.token, "tracking")).status == 200
        deny = {"kind": "workspace", "workspace_id": 1, "permissions": ["workspace.read"]}
        await grant(owner, one, effect="deny", **deny)
        for name in ("", "default"):
            reply = await auth.exchange(one.token, "tracking", workspace=name)
            assert reply.status == 400
            said = msgspec.json.decode(reply.body)
            assert said["workspace_refused"]
            assert said["error_description"].startswith("Workspace 'default' not found")
        assert (await auth.exchange(one.token, "tracking", workspace="open-to-all")).status == 200


async def test_a_plan_bounds_the_workspaces(auth: Auth) -> None:
    place = await new_place(auth, plan="free")
    token = place.owner.token
    most = PLANS["free"].workspaces
    several = [ask(auth, "POST", body={"name": f"room-{n}"}, token=token) for n in range(most)]
    statuses = sorted(reply.status for reply in await asyncio.gather(*several))
    assert statuses == [201] * (most - 1) + [403]
    assert len(await names(auth, token)) == most
    status, code, message = told(await ask(auth, "POST", body={"name": "more"}, token=token))
    assert (status, code) == (403, "PERMISSION_DENIED")
    assert f"The plan 'free' holds {most} workspaces" in message
    await operate(auth, "PATCH", f"/tenants/{place.name}", {"plan": "team"})
    assert (await ask(auth, "POST", body={"name": "more"}, token=token)).status == 201


async def _verified(auth: Auth, reply: Reply) -> Principal:
    raw = msgspec.json.decode(reply.body)["access_token"]
    return await Verifier("tracking", auth.running.state.keys.key_set).verify(raw)


async def test_another_tenants_workspace_is_missing(auth: Auth) -> None:
    await ask(auth, "POST", body={"name": "ours-alone"})
    secret, user_id = new_secret(), uuid4()
    async with auth.running.database.transaction() as connection:
        number = await connection.fetchval(
            "WITH t AS (INSERT INTO tenants (tenant_id, name) VALUES ($1, $2) RETURNING tenant_no)"
            " SELECT set_config('app.tenant', tenant_no::text, true)::int4 FROM t",
            *(uuid4(), f"other-{user_id.hex[:8]}"),
        )
        await add_member(connection, number, user_id, f"other-{user_id}", "owner")
        await add_token(connection, number, new_token_of(secret, user_id))
    # Its own first workspace was never made, and is there all the same.
    assert await names(auth, secret) == ["default"]
    assert (await auth.exchange(secret, "tracking", workspace="ours-alone")).status == 400
    assert (await auth.exchange(secret, "tracking", workspace="default")).status == 200
    theirs = await ask(auth, "POST", body={"name": "ours-alone"}, token=secret)
    assert theirs.status == 201
    assert await names(auth, secret) == ["default", "ours-alone"]


async def test_workspaces_are_told_again(auth: Auth) -> None:
    await ask(auth, "POST", body={"name": "told-again"})

    async def told_of() -> int:
        return (await republish(auth.running))["auth.workspace.v1"]

    assert await eventually(told_of, within=20) >= len(await rows(auth))
