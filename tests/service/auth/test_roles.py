"""Roles of a tenant: defined, changed and deleted, given to members, and never beyond one's own."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.roles import ROLES
from tests.service.auth.colleagues import Person, another_tenant, join, said
from tests.service.auth.installation import Auth
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(auth: Auth) -> Person:
    """An owner besides the one of the first start."""
    return await join(auth, "owner")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(auth: Auth) -> Person:
    """An admin."""
    return await join(auth, "admin")


def named() -> str:
    """A name for a role."""
    return f"role-{uuid4().hex[:8]}"


async def define(by: Person, *permissions: str) -> str:
    """A new role; its name."""
    name = named()
    reply = await by.ask("POST", "/roles", {"name": name, "permissions": permissions})
    assert reply.status == 201, reply.body
    return name


async def give(by: Person, to: Person, role: str | None) -> int:
    """Give a member a role; the status of the answer."""
    return (await by.ask("PUT", f"/members/{to.login}/role", {"role": role})).status


async def test_permissions_and_built_in_roles_are_told(admin: Person) -> None:
    told = (await admin.get("/permissions"))["permissions"]
    assert [each["name"] for each in told] == list(PERMISSIONS)
    assert len(told) == 35
    roles = {role["name"]: role for role in (await admin.get("/roles"))["roles"]}
    for name, permissions in ROLES.items():
        assert set(roles[name]["permissions"]) == permissions
        assert roles[name]["built_in"] is True
        assert await admin.get(f"/roles/{name}") == roles[name]


async def test_a_role_lives_and_is_told_of(auth: Auth, admin: Person) -> None:
    name = await define(admin, "run.read", "experiment.read", "run.read")
    shown = await admin.get(f"/roles/{name}")
    assert shown["permissions"] == ["experiment.read", "run.read"]
    change = {"description": "reads", "permissions": ["experiment.read"]}
    for _ in range(2):
        reply = await admin.ask("PUT", f"/roles/{name}", change)
        assert reply.status == 200
    assert (await admin.get(f"/roles/{name}"))["version"] == 2
    assert (await admin.ask("DELETE", f"/roles/{name}")).status == 204
    for method in ("GET", "DELETE"):
        assert (await admin.ask(method, f"/roles/{name}")).status == 404
    again = await admin.ask("POST", "/roles", {"name": name, **change})
    assert again.status == 201
    assert (await admin.get(f"/roles/{name}"))["version"] == 4

    async def trail() -> list[Any]:
        async with auth.running.database.reading(1) as connection:
            rows = await connection.fetch(
                "SELECT type, version FROM audit_events WHERE subject = $1 ORDER BY version", name
            )
        return rows if len(rows) == 4 else []

    told = [(row["type"], row["version"]) for row in await eventually(trail, within=20)]
    assert told == [
        ("auth.role.defined", 1),
        ("auth.role.changed", 2),
        ("auth.role.deleted", 3),
        ("auth.role.defined", 4),
    ]


@pytest.mark.parametrize("name", list(ROLES))
async def test_built_in_roles_stay_as_they_are(owner: Person, name: str) -> None:
    body = {"permissions": ["run.read"]}
    for method, path, sent in (
        ("POST", "/roles", {"name": name, **body}),
        ("PUT", f"/roles/{name}", body),
        ("DELETE", f"/roles/{name}", None),
    ):
        reply = await owner.ask(method, path, sent)
        assert reply.status == 400
        assert "built in" in said(reply)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Loud", "permissions": ["run.read"]}, "name"),
        ({"name": "-x", "permissions": ["run.read"]}, "name"),
        ({"name": "x" * 64, "permissions": ["run.read"]}, "name"),
        ({"name": "empty", "permissions": []}, "permissions"),
        ({"name": "odd", "permissions": ["run.fly"]}, "run.fly"),
        ({"name": "odd", "permissions": ["run.read"], "more": 1}, "more"),
        ({"name": "nul", "permissions": ["run.read"], "description": "n\x00ul"}, "fit"),
        ({"name": "nul", "permissions": ["run.read\x00"]}, "run.read"),
    ],
)
async def test_bad_roles_are_refused_by_field(
    admin: Person, body: dict[str, object], field: str
) -> None:
    reply = await admin.ask("POST", "/roles", body)
    assert reply.status == 400, reply.body
    assert field in said(reply)


async def test_a_name_is_taken_once(admin: Person) -> None:
    name = await define(admin, "run.read")
    body = {"name": name, "permissions": ["run.read"]}
    replies = await asyncio.gather(*(admin.ask("POST", "/roles", body) for _ in range(3)))
    assert [reply.status for reply in replies] == [400, 400, 400]
    assert "already" in said(replies[0])


async def test_nobody_defines_what_they_do_not_hold(admin: Person, owner: Person) -> None:
    wanted = {"name": named(), "permissions": ["run.read", "tenant.manage"]}
    reply = await admin.ask("POST", "/roles", wanted)
    assert reply.status == 403
    assert "tenant.manage" in said(reply)
    assert "run.read" not in said(reply)
    name = await define(owner, "run.read")
    reply = await admin.ask("PUT", f"/roles/{name}", {"permissions": ["tenant.manage"]})
    assert reply.status == 403
    # Nor do they change what holds more than they do.
    name = await define(owner, "tenant.manage")
    reply = await admin.ask("PUT", f"/roles/{name}", {"permissions": ["run.read"]})
    assert reply.status == 403


@pytest.mark.parametrize("role", [None, "viewer", "contributor", "reviewer"])
async def test_roles_are_an_admins_to_make(auth: Auth, role: str | None) -> None:
    caller = await join(auth, role)
    body = {"permissions": ["run.read"]}
    for method, path, sent in (
        ("POST", "/roles", {"name": named(), **body}),
        ("PUT", "/roles/labeller", body),
        ("DELETE", "/roles/labeller", None),
        ("PUT", f"/members/{caller.login}/role", {"role": "owner"}),
    ):
        assert (await caller.ask(method, path, sent)).status == 403, path
    assert (await caller.ask("GET", "/roles")).status == (200 if role == "reviewer" else 403)


async def test_a_changed_role_counts_at_once_for_all_who_have_it(auth: Auth, admin: Person) -> None:
    name = await define(admin, "token.own")
    member, grantee = await join(auth, name), await join(auth, None)
    grant = {"subject": grantee.login, "role": name, "kind": "tenant"}
    assert (await admin.ask("POST", "/grants", grant)).status == 201
    for person in (member, grantee):
        assert (await person.ask("GET", "/roles")).status == 403
    change = {"permissions": ["token.own", "member.read"]}
    assert (await admin.ask("PUT", f"/roles/{name}", change)).status == 200
    for person in (member, grantee):
        assert (await person.ask("GET", "/roles")).status == 200
    reply = await admin.ask("DELETE", f"/roles/{name}")
    assert reply.status == 409
    assert member.login in said(reply)
    assert grantee.login in said(reply)
    assert await give(admin, member, None) == 200
    assert (await member.ask("GET", "/roles")).status == 403


async def test_admins_neither_make_nor_unmake_owners(
    auth: Auth, admin: Person, owner: Person
) -> None:
    member = await join(auth, "viewer")
    reply = await admin.ask("PUT", f"/members/{member.login}/role", {"role": "owner"})
    assert reply.status == 403
    assert "tenant.manage" in said(reply)
    assert await give(admin, member, "admin") == 200
    assert await give(owner, member, "owner") == 200
    assert await give(admin, member, "viewer") == 403
    assert await give(owner, member, "viewer") == 200
    more = await define(owner, "tenant.manage")
    assert await give(admin, member, more) == 403
    assert await give(owner, member, more) == 200
    assert await give(admin, member, "viewer") == 403


async def test_a_credential_gives_no_more_than_its_scopes_leave(auth: Auth) -> None:
    narrow = await join(auth, "owner", scopes=("member.manage", "role.manage"))
    member = await join(auth, None)
    assert await give(narrow, member, "viewer") == 403
    body = {"name": named(), "permissions": ["run.read"]}
    assert (await narrow.ask("POST", "/roles", body)).status == 403


async def test_members_are_found_by_each_of_their_names(auth: Auth, admin: Person) -> None:
    person, account = await join(auth, None), await join(auth, None, kind="service")
    name = f"default/robot-{uuid4().hex[:8]}"
    short = await join(auth, None, kind="service", login=name)
    for called, subject in (
        (person.login, person.subject),
        (person.subject, person.subject),
        (str(person.user_id), person.subject),
        (account.subject, account.subject),
        (name.removeprefix("default/"), short.subject),
    ):
        reply = await admin.ask("PUT", f"/members/{called}/role", {"role": "viewer"})
        assert reply.status == 200, called
        assert subject in reply.body.decode()
    foreign = await join(auth, "viewer", tenant_no=await another_tenant(auth))
    unknown = f"user:{uuid4()}"
    for called in (foreign.login, foreign.subject, unknown, f"user:{account.user_id}"):
        reply = await admin.ask("PUT", f"/members/{called}/role", {"role": "viewer"})
        assert reply.status == 404
        assert said(reply) == f"Member {called!r} not found"
    reply = await admin.ask("PUT", f"/members/{person.login}/role", {"role": "nothing"})
    assert reply.status == 400
    assert said(reply).startswith("role: ")


async def owners_of(auth: Auth) -> set[str]:
    """The active owners of the first tenant."""
    async with auth.running.database.reading(1) as connection:
        rows = await connection.fetch(
            "SELECT user_id FROM memberships WHERE tenant_no = 1 AND role = 'owner'"
            " AND status = 'active'"
        )
    return {f"user:{row['user_id']}" for row in rows}


async def test_the_last_owner_stays_whoever_asks_and_when(auth: Auth, owner: Person) -> None:
    other = await join(auth, "owner")
    for subject in await owners_of(auth) - {owner.subject, other.subject}:
        reply = await owner.ask("PUT", f"/members/{subject}/role", {"role": "viewer"})
        assert reply.status == 200
    for round_ in range(6):
        first, second = (owner, other) if round_ % 2 else (other, owner)
        statuses = await asyncio.gather(
            give(first, first, "viewer" if round_ < 3 else None), give(second, second, "admin")
        )
        assert sorted(statuses) == [200, 403]
        (left,) = await owners_of(auth)
        stays, goes = (owner, other) if left == owner.subject else (other, owner)
        reply = await stays.ask("PUT", f"/members/{stays.login}/role", {"role": "viewer"})
        assert "last active owner" in said(reply)
        assert await give(stays, goes, "owner") == 200
    # Each takes it from the other: whoever comes second is no owner any more.
    statuses = await asyncio.gather(give(owner, other, "viewer"), give(other, owner, "viewer"))
    assert sorted(statuses) == [200, 403]
    assert len(await owners_of(auth)) == 1
