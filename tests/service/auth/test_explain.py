"""Explanations: who can access something and why, what one may do, and what a change would do."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.roles import ROLES
from tests.service.auth.colleagues import Person, another_tenant, join, said
from tests.service.auth.installation import Auth
from tests.service.auth.sampling import Point, covered, held

ALL = tuple(PERMISSIONS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def admin(auth: Auth) -> Person:
    """An admin."""
    return await join(auth, "admin")


async def made(by: Person, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What was made by a POST."""
    reply = await by.ask("POST", path, body)
    assert reply.status in (200, 201), reply.body
    answer: dict[str, Any] = msgspec.json.decode(reply.body)
    return answer


async def team(auth: Auth, admin: Person) -> dict[str, Person]:
    """Members who may and may not read `team/x`, each for a reason of their own."""
    people = {
        "viewer": await join(auth, "viewer"),
        "granted": await join(auth, None),
        "denied": await join(auth, "contributor"),
        "nobody": await join(auth, None),
        "elsewhere": await join(auth, "viewer", tenant_no=await another_tenant(auth)),
    }
    grant = {"kind": "experiment", "pattern": "team/*", "permissions": ["experiment.read"]}
    await made(admin, "/grants", {"subject": people["granted"].login, **grant})
    await made(admin, "/grants", {"subject": people["denied"].login, "effect": "deny", **grant})
    return people


async def test_who_can_access_it_and_why(auth: Auth, admin: Person) -> None:
    people = await team(auth, admin)
    path = "/access/who?permission=experiment.read&kind=experiment&workspace_id=1&name=team/x"
    told = await admin.get(path)
    holders = {each["login"]: each for each in told["holders"]}
    denied = {each["login"]: each for each in told["denied"]}
    assert holders[people["viewer"].login]["rule"]["because"] == "role viewer"
    assert holders[people["granted"].login]["rule"]["pattern"] == "team/*"
    assert denied[people["denied"].login]["rule"]["effect"] == "deny"
    for hidden in ("nobody", "elsewhere"):
        assert people[hidden].login not in {**holders, **denied}
    assert "own" in told["note"]
    owned = await admin.get(f"{path}&owner={people['nobody'].subject}")
    assert people["nobody"].login in {each["login"] for each in owned["holders"]}
    owned = await admin.get(f"{path}&owner={people['denied'].subject}")
    assert people["denied"].login in {each["login"] for each in owned["denied"]}
    other = await admin.get("/access/who?permission=experiment.read&name=other")
    assert people["granted"].login not in {each["login"] for each in other["holders"]}
    assert people["denied"].login in {each["login"] for each in other["holders"]}


async def test_who_looks_at_everybody_page_by_page(auth: Auth, admin: Person) -> None:
    path = "/access/who?permission=experiment.read"
    whole = await admin.get(path)
    logins: list[str] = []
    token: str | None = ""
    while token is not None:
        page = await admin.get(f"{path}&max_results=3{token}")
        logins += [each["login"] for each in page["holders"]]
        following = page["next_page_token"]
        token = following and f"&page_token={following}"
    assert logins == [each["login"] for each in whole["holders"]]
    assert admin.login in logins


@pytest.mark.parametrize(
    ("who", "query", "allowed", "because"),
    [
        ("viewer", "permission=experiment.read&name=team/x", True, "role viewer"),
        ("viewer", "permission=run.log&name=team/x", False, None),
        ("granted", "permission=experiment.read&name=team/x", True, "grant"),
        ("granted", "permission=experiment.read&name=team/x&workspace_id=2", False, None),
        ("granted", "permission=experiment.read", False, None),
        ("denied", "permission=experiment.read&name=team/x", False, "deny"),
        ("denied", "permission=experiment.read&name=other", True, "role contributor"),
        ("denied", "permission=experiment.read&kind=tenant", True, "role contributor"),
        ("viewer", "permission=member.manage", False, None),
    ],
)
async def test_check_tells_the_rule_that_decides(
    auth: Auth, admin: Person, who: str, query: str, allowed: bool, because: str | None
) -> None:
    person = (await team(auth, admin))[who]
    told = await admin.get(f"/access/check?subject={person.login}&{query}")
    assert (told["subject"], told["allowed"]) == (person.subject, allowed)
    assert (told["rule"] and told["rule"]["because"]) == because
    assert told["why"]


async def test_what_a_member_may_do(auth: Auth, admin: Person) -> None:
    people = await team(auth, admin)
    told = await admin.get(f"/access/of/{people['denied'].login}")
    assert told["status"] == "active"
    assert [rule["effect"] for rule in told["rules"]] == ["allow", "deny"]
    tenant, experiments = told["effective"]
    assert set(tenant["permissions"]) == ROLES["contributor"]
    assert experiments["pattern"] == "team/*"
    # What may not be read may not be worked in either.
    assert experiments["permissions"] == []
    assert await people["denied"].get("/access/mine") == told
    assert (await people["granted"].ask("GET", "/access/mine")).status == 403
    narrow = await join(auth, "owner", scopes=("token.own", "run.read"))
    (tenant,) = (await narrow.get("/access/mine"))["effective"]
    assert tenant["permissions"] == ["run.read", "token.own"]


@pytest.mark.parametrize("role", [None, "viewer", "contributor", "reviewer"])
async def test_explaining_is_for_who_manages_grants(auth: Auth, role: str | None) -> None:
    caller = await join(auth, role)
    for path in (
        "/access/who?permission=run.read",
        f"/access/of/{caller.login}",
        f"/access/check?subject={caller.login}&permission=run.read",
    ):
        assert (await caller.ask("GET", path)).status == 403
    body = {"member": {"subject": caller.login, "role": "owner"}}
    assert (await caller.ask("POST", "/access/dry-run", body)).status == 403


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("who", "permission"),
        ("who?permission=run.fly", "permission"),
        ("who?permission=run.read&kind=model", "kind"),
        ("who?permission=member.read&kind=workspace", "kind"),
        ("who?permission=member.read&name=x", "name"),
        ("who?permission=run.read&workspace_id=0", "workspace_id"),
        ("who?permission=run.read&max_results=0", "max_results"),
        ("check?permission=run.read", "subject"),
    ],
)
async def test_bad_questions_are_refused_by_field(admin: Person, path: str, field: str) -> None:
    reply = await admin.ask("GET", f"/access/{path}")
    assert reply.status == 400
    assert field in said(reply)


async def test_another_tenants_people_are_missing(auth: Auth, admin: Person) -> None:
    there = await join(auth, "viewer", tenant_no=await another_tenant(auth))
    for named in (there.login, there.subject, f"user:{uuid4()}"):
        for path in (f"of/{named}", f"check?permission=run.read&subject={named}"):
            reply = await admin.ask("GET", f"/access/{path}")
            assert (reply.status, said(reply)) == (404, f"Member {named!r} not found")


GRANTS: dict[str, dict[str, Any]] = {
    "allow": {"kind": "experiment", "pattern": "a/*", "role": "viewer"},
    "wider": {"kind": "workspace", "workspace_id": 2, "role": "contributor"},
    "tenant": {"kind": "tenant", "permissions": ["experiment.read", "audit.read"]},
    "deny": {"kind": "experiment", "pattern": "a/x", "role": "admin", "effect": "deny"},
    "deny all": {"kind": "tenant", "permissions": ["run.log", "model.read"], "effect": "deny"},
    "again": {"kind": "model", "pattern": "b*", "permissions": ["model.read"]},
}


@pytest.mark.parametrize("role", ["viewer", None, "own"])
@pytest.mark.parametrize("change", [*GRANTS, "role", "member", "no role"])
async def test_a_dry_run_tells_what_then_happens_and_stores_nothing(
    auth: Auth, admin: Person, role: str | None, change: str
) -> None:
    own = f"role-{uuid4().hex[:8]}"
    body = {"name": own, "permissions": ["experiment.read", "run.log"]}
    await made(admin, "/roles", body)
    person = await join(auth, own if role == "own" else role)
    for grant in (
        {"kind": "experiment", "pattern": "b*", "role": own},
        {"kind": "model", "pattern": "b*", "permissions": ["model.read"]},
        {"kind": "experiment", "pattern": "b/x", "role": own, "effect": "deny"},
    ):
        await made(admin, "/grants", {"subject": person.login, **grant})
    permissions = ["run.log", "model.manage", "member.read"]
    trial, method, path, sent = {
        "role": (
            {"name": own, "permissions": permissions},
            *("PUT", f"/roles/{own}", {"permissions": permissions}),
        ),
        "member": (
            {"subject": person.login, "role": "reviewer"},
            *("PUT", f"/members/{person.login}/role", {"role": "reviewer"}),
        ),
        "no role": (
            {"subject": person.login, "role": None},
            *("PUT", f"/members/{person.login}/role", {"role": None}),
        ),
    }.get(change) or (
        {"subject": person.login, **GRANTS[change]},
        *("POST", "/grants", {"subject": person.login, **GRANTS[change]}),
    )
    kind = {"role": "role", "member": "member", "no role": "member"}.get(change, "grant")
    before = await person.told()
    effects = (await made(admin, "/access/dry-run", {kind: trial}))["effects"]
    assert await person.told() == before
    had = held(await person.rights(), ALL)
    assert (await admin.ask(method, path, sent)).status in (200, 201)
    has = held(await person.rights(), ALL)
    none: dict[str, Any] = {"gains": [], "loses": []}
    effect = next((each for each in effects if each["subject"] == person.subject), none)
    assert {each["subject"] for each in effects} <= {person.subject}
    assert has - had == {point for point in has if covered(effect["gains"], point)} - had
    assert had - has == {point for point in had if covered(effect["loses"], point)} - has
    told = {p for p in points_of(effect["gains"]) if p not in has}
    assert not told, "told as gained, but not held afterwards"
    assert not {p for p in points_of(effect["loses"]) if p in has}


def points_of(targets: list[dict[str, Any]]) -> set[Point]:
    """What an answer says of permissions on the whole of a tenant."""
    return {
        Point(permission, 1, "")
        for each in targets
        if each["kind"] == "tenant"
        for permission in each["permissions"]
        if PERMISSIONS[permission].kind == "tenant"
    }


async def test_a_dry_run_is_refused_as_the_change_would_be(auth: Auth, admin: Person) -> None:
    owner, member = await join(auth, "owner"), await join(auth, "viewer")
    for body, status in (
        ({"member": {"subject": member.login, "role": "owner"}}, 403),
        ({"member": {"subject": owner.login, "role": "viewer"}}, 403),
        ({"member": {"subject": "nobody", "role": "viewer"}}, 404),
        ({"member": {"subject": member.login, "role": "nothing"}}, 400),
        ({"role": {"name": "viewer", "permissions": ["run.read"]}}, 400),
        ({"role": {"name": "nothing", "permissions": ["run.read"]}}, 404),
        ({"grant": {"subject": member.login, "role": "owner", "kind": "tenant"}}, 403),
        ({}, 400),
        ({"member": {"subject": member.login, "role": None}, "grant": None, "role": {}}, 400),
    ):
        reply = await admin.ask("POST", "/access/dry-run", body)
        assert reply.status == status, reply.body
    assert (await member.told()).version == 1
