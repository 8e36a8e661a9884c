"""Grants: allowed and denied, once and for a time, listed, revoked and told."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from libs.common.contracts.auth import GRANTS, ROLES, Grant, Role
from libs.common.events.republish import republish
from libs.common.service import Snapshot
from services.auth.snapshots import SNAPSHOTS
from tests.service.auth.colleagues import (
    READ,
    TEAM,
    Person,
    another_tenant,
    grant,
    join,
    revoke,
    said,
)
from tests.service.auth.installation import Auth
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(auth: Auth) -> Person:
    """An admin."""
    return await join(auth, "admin")


def soon(**after: float) -> str:
    """A time to come."""
    return (datetime.now(UTC) + timedelta(**after)).isoformat()


async def test_a_grant_counts_until_it_is_revoked_and_is_told(auth: Auth, admin: Person) -> None:
    member = await join(auth, None)
    made = await grant(admin, member, **TEAM, **READ, reason="helps out")
    assert (made["login"], made["workspace_id"], made["effect"]) == (member.login, 1, "allow")
    assert made["granted_by"] == admin.subject
    rights = await member.rights()
    assert rights.allows("run.read", 1, "team-a/x")
    assert not rights.allows("run.read", 1, "team-b/x")
    assert not rights.allows("run.read", 2, "team-a/x")
    assert not rights.allows("run.log", 1, "team-a/x")
    assert await admin.get(f"/grants/{made['id']}") == made
    assert await revoke(admin, made["id"]) == 204
    assert await revoke(admin, made["id"]) == 404
    assert not (await member.rights()).allows("run.read", 1, "team-a/x")

    async def trail() -> list[Any]:
        async with auth.running.database.reading(1) as connection:
            rows = await connection.fetch(
                "SELECT type, actor, payload FROM audit_events WHERE subject = $1 ORDER BY version",
                made["id"],
            )
        return rows if len(rows) == 2 else []

    granted, revoked = await eventually(trail, within=20)
    assert (granted["type"], revoked["type"]) == ("auth.grant.granted", "auth.grant.revoked")
    assert granted["actor"] == admin.subject
    assert msgspec.json.decode(granted["payload"])["grant"]["reason"] == "helps out"


async def test_the_same_grant_again_is_the_same(auth: Auth, admin: Person) -> None:
    member = await join(auth, None)
    body = {"subject": member.login, **TEAM, "permissions": ["run.read", "experiment.read"]}
    replies = await asyncio.gather(*(admin.ask("POST", "/grants", body) for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 200, 200, 201]
    assert len({reply.body for reply in replies}) == 1
    version = (await member.told()).version
    again = {**body, "permissions": ["experiment.read", "run.read", "run.read"]}
    assert (await admin.ask("POST", "/grants", again)).status == 200
    assert (await member.told()).version == version
    for other in ({"effect": "deny"}, {"pattern": "team-a*"}, {"permissions": ["run.read"]}):
        assert (await admin.ask("POST", "/grants", body | other)).status == 201


async def test_a_grant_ends_by_itself_and_is_prolonged_never_shortened(
    auth: Auth, admin: Person
) -> None:
    member = await join(auth, None)
    made = await grant(admin, member, **TEAM, **READ, expires_in=3600)
    rights = await member.rights()
    assert rights.allows("run.read", 1, "team-a/x")
    ended = await member.rights(rights.until + 0.001)
    assert not ended.allows("run.read", 1, "team-a/x")
    assert await grant(admin, member, **TEAM, **READ, expires_in=60) == made
    longer = await grant(admin, member, **TEAM, **READ, expires_in=7200)
    assert longer["id"] == made["id"]
    assert longer["expires_at"] > made["expires_at"]
    forever = await grant(admin, member, **TEAM, **READ)
    assert (forever["id"], forever["expires_at"]) == (made["id"], None)


async def test_what_has_ended_is_not_there_and_can_be_granted_anew(
    auth: Auth, admin: Person
) -> None:
    member = await join(auth, None)
    made = await grant(admin, member, **TEAM, **READ, expires_at=soon(hours=1))
    async with auth.running.database.transaction(1) as connection:
        await connection.execute(
            "UPDATE grants SET expires_at = now() WHERE user_id = $1", member.user_id
        )
    assert (await admin.ask("GET", f"/grants/{made['id']}")).status == 404
    assert await revoke(admin, made["id"]) == 404
    assert (await admin.get(f"/grants?subject={member.subject}"))["grants"] == []
    assert (await member.told()).access.rules == []
    assert (await grant(admin, member, **TEAM, **READ))["id"] == made["id"]
    assert (await member.rights()).allows("run.read", 1, "team-a/x")


async def test_a_deny_wins_over_a_role(auth: Auth, admin: Person) -> None:
    member = await join(auth, "contributor")
    await grant(admin, member, effect="deny", role="viewer", kind="model", pattern="secret")
    rights = await member.rights()
    assert rights.allows("model.read", 1, "other")
    assert not rights.allows("model.read", 1, "secret")
    # What the role says of other kinds is not meant by a grant on models.
    assert rights.allows("run.read", 1, "secret")


async def test_a_role_on_a_workspace_gives_nothing_of_the_tenant(auth: Auth, admin: Person) -> None:
    member = await join(auth, None)
    await grant(admin, member, role="admin", kind="workspace", workspace_id=1)
    rights = await member.rights()
    assert rights.holds("experiment.manage", 1)
    assert rights.holds("workspace.manage", 1)
    assert not rights.holds("member.manage", 1)
    assert (await member.ask("GET", "/roles")).status == 403
    assert (await member.ask("PUT", f"/members/{member.login}/role", {"role": None})).status == 403


async def test_pages_hold_every_grant_once(auth: Auth, admin: Person) -> None:
    member = await join(auth, None)
    made = {
        (await grant(admin, member, kind="experiment", pattern=f"page/{n}", **READ))["id"]
        for n in range(5)
    }
    seen: list[str] = []
    token: str | None = ""
    while token is not None:
        page = await admin.get(f"/grants?subject={member.subject}&max_results=2{token}")
        seen += [each["id"] for each in page["grants"]]
        following = page["next_page_token"]
        token = following and f"&page_token={following}"
    assert sorted(seen) == sorted(made)
    one = (await admin.get("/grants?kind=experiment&pattern=page/3"))["grants"]
    assert [each["pattern"] for each in one] == ["page/3"]


@pytest.mark.parametrize(
    ("body", "said_of"),
    [
        ({}, "role, permissions"),
        ({"role": "viewer", "permissions": ["run.read"]}, "role, permissions"),
        ({"role": "nothing"}, "role"),
        ({"role": "nothing\x00"}, "fit"),
        ({"permissions": ["run.fly"]}, "permissions"),
        ({"permissions": ["model.read"]}, "permissions"),
        ({"permissions": ["member.manage"]}, "permissions"),
        ({"permissions": ["member.manage"], "kind": "workspace", "pattern": "*"}, "permissions"),
        ({"permissions": ["run.read"], "kind": "workspace"}, "pattern"),
        ({"permissions": ["run.read"], "kind": "tenant"}, "pattern"),
        ({**READ, "kind": "tenant", "pattern": "*", "workspace_id": 1}, "workspace_id"),
        ({**READ, "pattern": "*/x"}, "pattern"),
        ({**READ, "pattern": "x" * 501}, "pattern"),
        ({**READ, "pattern": "x\x00"}, "fit"),
        ({**READ, "workspace_id": 0}, "workspace_id"),
        ({**READ, "effect": "maybe"}, "effect"),
        ({**READ, "expires_in": 0}, "expires_in"),
        ({**READ, "expires_in": 10**12}, "expires_in"),
        ({**READ, "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({**READ, "expires_at": "2001-01-01T00:00:00"}, "expires_at"),
        ({**READ, "expires_at": "2999-01-01T00:00:00Z", "expires_in": 5}, "expires_at"),
        ({**READ, "reason": "x" * 1001}, "reason"),
        ({**READ, "until": "noon"}, "until"),
    ],
)
async def test_bad_grants_are_refused_by_field(
    auth: Auth, admin: Person, body: dict[str, object], said_of: str
) -> None:
    reply = await admin.ask("POST", "/grants", {"subject": admin.login, **TEAM, **body})
    assert reply.status == 400, reply.body
    assert said_of in said(reply)


async def test_another_tenants_people_and_grants_are_missing(auth: Auth, admin: Person) -> None:
    tenant = await another_tenant(auth)
    there, member = (
        await join(auth, "owner", tenant_no=tenant),
        await join(auth, "viewer", tenant_no=tenant),
    )
    made = await grant(there, member, **TEAM, **READ)
    for caller in (admin, there):
        assert (await caller.ask("GET", f"/grants/{made['id']}")).status == (
            200 if caller is there else 404
        )
    assert await revoke(admin, made["id"]) == 404
    reply = await admin.ask("POST", "/grants", {"subject": member.login, **TEAM, **READ})
    assert (reply.status, said(reply)) == (404, f"Member {member.login!r} not found")
    assert made["id"] not in str(await admin.get("/grants?max_results=1000"))


async def test_roles_and_living_grants_are_told_again(auth: Auth, admin: Person) -> None:
    member, name = await join(auth, None), f"role-{uuid4().hex[:8]}"
    role = Role(name=name, permissions=["run.read"], description="reads")
    assert (await admin.ask("POST", "/roles", role)).status == 201
    made = await grant(admin, member, **TEAM, role=name, expires_in=3600, reason="a while")

    async def republished() -> bool:
        # The tenant's own fact must have made its way first.
        counted = await republish(auth.running)
        return counted["auth.role.v1"] >= 1 and counted["auth.grant.v1"] >= 1

    await eventually(republished, within=30)
    async with auth.running.database.reading(1) as connection:

        async def told(snapshot: Snapshot) -> dict[str, Any]:
            rows = await connection.fetch(snapshot.query, 1, "", 1000)
            facts = [snapshot.fact(row) for row in rows]
            return {snapshot.topic.key(fact): fact for fact in facts}

        roles, grants = [await told(each) for each in SNAPSHOTS if each.topic in (ROLES, GRANTS)]
    assert roles[name].role == role
    again: Grant = grants[made["id"]].grant
    assert (again.subject, again.role, again.pattern) == (member.subject, name, "team-a/*")
    assert (again.reason, again.granted_by) == ("a while", admin.subject)
    (rule,) = (await member.told()).access.rules
    assert again.expires_at == rule.expires_at
