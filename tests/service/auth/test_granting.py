"""Who may grant, deny and revoke: nobody what they do not hold, on all of it and for as long."""

from uuid import uuid4

import pytest_asyncio

from tests.service.auth.colleagues import READ, TEAM, Person, grant, join, refused, revoke, said
from tests.service.auth.installation import Auth


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(auth: Auth) -> Person:
    """An admin."""
    return await join(auth, "admin")


async def test_one_grants_within_what_one_holds(auth: Auth, admin: Person) -> None:
    other = await join(auth, None)
    granter = await join(auth, None)
    await grant(admin, granter, kind="tenant", permissions=["grant.manage"])
    await grant(admin, granter, **TEAM, **READ)
    await grant(admin, granter, kind="experiment", pattern="solo", **READ)
    for pattern in ("team-a/*", "team-a/x", "team-a/x/*", "solo"):
        await grant(granter, other, kind="experiment", pattern=pattern, **READ)
    for pattern in ("*", "team-*", "team-b/x", "solo*", "solo/x", "team-a"):
        why = await refused(granter, other, kind="experiment", pattern=pattern, **READ)
        assert "experiment.read, run.read" in why
        assert pattern in why
    assert "run.log" in await refused(granter, other, **TEAM, permissions=["run.read", "run.log"])
    for wide in ({"kind": "workspace"}, {"kind": "tenant"}, {**TEAM, "workspace_id": 2}):
        await refused(granter, other, **wide, **READ)
    await refused(granter, other, **TEAM, role="contributor")
    await refused(granter, other, kind="model", pattern="team-a/*", permissions=["model.read"])


async def test_what_is_denied_in_part_is_not_held(auth: Auth, admin: Person) -> None:
    other, granter = await join(auth, None), await join(auth, "admin")
    await grant(
        admin,
        granter,
        effect="deny",
        kind="experiment",
        pattern="hidden/x",
        permissions=["run.read"],
    )
    for pattern in ("*", "hid*", "hidden/x", "hidden/x*"):
        await refused(granter, other, kind="experiment", pattern=pattern, **READ)
    await refused(granter, other, kind="tenant", role="viewer")
    await refused(granter, other, kind="workspace", role="viewer")
    await grant(granter, other, kind="experiment", pattern="hidden/y*", **READ)
    await grant(granter, other, kind="workspace", workspace_id=2, role="viewer")


async def test_a_denial_is_not_lifted_by_whom_it_is_about(auth: Auth, admin: Person) -> None:
    granter = await join(auth, "admin")
    denied = await grant(
        admin,
        granter,
        effect="deny",
        kind="experiment",
        pattern="hidden/*",
        permissions=["run.read"],
    )
    assert await revoke(granter, denied["id"]) == 403
    role = f"role-{uuid4().hex[:8]}"
    body = {"name": role, "permissions": ["artifact.read"]}
    assert (await admin.ask("POST", "/roles", body)).status == 201
    by_role = await grant(admin, granter, effect="deny", role=role, kind="experiment", pattern="h")
    assert await revoke(granter, by_role["id"]) == 403
    # Nor by taking the permission out of the role that is denied.
    reply = await granter.ask("PUT", f"/roles/{role}", {"permissions": ["experiment.read"]})
    assert reply.status == 403
    for each in (denied, by_role):
        assert await revoke(admin, each["id"]) == 204
    assert (await granter.rights()).allows("artifact.read", 1, "h")


async def test_what_one_holds_for_an_hour_is_not_granted_for_two(auth: Auth, admin: Person) -> None:
    other, granter = await join(auth, None), await join(auth, None)
    await grant(admin, granter, kind="tenant", permissions=["grant.manage"])
    held = await grant(admin, granter, **TEAM, **READ, expires_in=3600)
    await refused(granter, other, **TEAM, **READ)
    await refused(granter, other, **TEAM, **READ, expires_in=3700)
    await grant(granter, other, **TEAM, **READ, expires_in=60)
    made = await grant(granter, other, **TEAM, **READ, expires_at=held["expires_at"])
    assert made["expires_at"] == held["expires_at"]


async def test_who_manages_a_pattern_grants_below_it(auth: Auth, admin: Person) -> None:
    keeper, other = await join(auth, "viewer"), await join(auth, None)
    manage = {"permissions": ["experiment.manage"]}
    await grant(admin, keeper, **TEAM, **manage)
    made = await grant(keeper, other, kind="experiment", pattern="team-a/x", **READ)
    assert "run.log" in await refused(keeper, other, **TEAM, permissions=["run.log"])
    why = await refused(keeper, other, kind="experiment", pattern="team-b/x", **READ)
    assert "grant.manage" in why
    assert "experiment.manage on experiment 'team-b/x'" in why
    await refused(keeper, other, **TEAM, **READ, effect="deny")
    for wide in ({"kind": "workspace"}, {"kind": "tenant"}, {"kind": "model"}):
        await refused(keeper, other, **wide, permissions=["model.read"])
    below = "/grants?kind=experiment&pattern=team-a/*"
    listed = (await keeper.get(below))["grants"]
    assert made in listed
    assert all(each["pattern"].startswith("team-a/") for each in listed)
    assert (await keeper.ask("GET", "/grants")).status == 403
    assert (await keeper.ask("GET", "/grants?kind=experiment")).status == 403
    elsewhere = await grant(admin, other, kind="model", pattern="m", permissions=["model.read"])
    denial = await grant(admin, other, **TEAM, **READ, effect="deny")
    for method in ("GET", "DELETE"):
        hidden = await keeper.ask(method, f"/grants/{elsewhere['id']}")
        absent = await keeper.ask(method, f"/grants/{(unknown := uuid4())}")
        assert (hidden.status, absent.status) == (404, 404)
        assert said(hidden).replace(elsewhere["id"], "") == said(absent).replace(str(unknown), "")
    assert await revoke(keeper, denial["id"]) == 403
    assert await revoke(keeper, made["id"]) == 204


async def test_an_owner_is_denied_nothing(auth: Auth, admin: Person) -> None:
    owner, other = await join(auth, "owner"), await join(auth, "viewer")
    body = {"subject": owner.login, "effect": "deny", **TEAM, **READ}
    for caller in (admin, owner):
        reply = await caller.ask("POST", "/grants", body)
        assert reply.status == 409
        assert "owner" in said(reply)
    denial = await grant(admin, other, **TEAM, **READ, effect="deny")
    reply = await owner.ask("PUT", f"/members/{other.login}/role", {"role": "owner"})
    assert reply.status == 409
    assert denial["id"] in said(reply)
