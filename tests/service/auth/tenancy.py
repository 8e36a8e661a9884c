"""Tenants and members in a test: made as their makers make them, through the front of auth."""

import time
from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from libs.common.http.calling import Reply, call
from libs.common.principal import Principal
from services.auth.commands.tokens import WantedToken, issue_token
from services.auth.model.credential import login_actor
from tests.service.auth.installation import Auth

API = "/api/maestro/v1"
PASSWORD = "correct horse battery"
_numbers = count(1)


def said(reply: Reply, status: int = 200) -> dict[str, Any]:
    """A JSON answer, which must have come with a status."""
    assert reply.status == status, reply.body
    found: dict[str, Any] = msgspec.json.decode(reply.body)
    return found


def refusal(reply: Reply, status: int) -> str:
    """What a refusal says, which must be problem details."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    return str(msgspec.json.decode(reply.body)["detail"])


def new_login(name: str = "member") -> str:
    """A login that nobody has."""
    return f"{name}-{next(_numbers)}@example.org"


@dataclass(frozen=True)
class Person:
    """A member with a token that may do all that the member may."""

    login: str
    subject: str
    token: str


@dataclass(frozen=True)
class Place:
    """A tenant and its first owner."""

    name: str
    id: str
    number: int
    owner: Person


async def operate(auth: Auth, method: str, path: str, body: object = None) -> Reply:
    """A request by the platform's operator."""
    return await auth.ask(auth.operator_token, method, f"{API}{path}", body)


async def new_place(auth: Auth, plan: str = "team") -> Place:
    """A fresh tenant, whose owner has accepted."""
    name, login = f"tenant-{next(_numbers)}", new_login("owner")
    body = {"name": name, "plan": plan, "owner": login}
    made = said(await operate(auth, "POST", "/tenants", body), 201)
    tenant, code = made["tenant"], made["owner"]["code"]
    joined = said(await accept(auth, code))
    token = await token_for(auth, tenant["id"], tenant["tenant_no"], joined["subject"])
    owner = Person(login, joined["subject"], token)
    return Place(name, tenant["id"], tenant["tenant_no"], owner)


async def invite(auth: Auth, by: Person, login: str, role: str | None, **more: object) -> Reply:
    """An invitation by a member."""
    body = {"login": login, "role": role, **more}
    return await auth.ask(by.token, "POST", f"{API}/invitations", body)


async def accept(
    auth: Auth, code: str, password: str | None = PASSWORD, display_name: str = ""
) -> Reply:
    """Accept an invitation as somebody who is not signed in."""
    body = {"code": code, "password": password, "display_name": display_name}
    return await call(
        auth.app,
        "POST",
        f"{API}/invitations/accept",
        headers=[("content-type", "application/json")],
        body=msgspec.json.encode(body),
        # Passwords are hashed slowly by intention, and one after another.
        timeout=60,
    )


async def new_member(
    auth: Auth, place: Place, role: str | None, *, login: str = "", by: Person | None = None
) -> Person:
    """Somebody who was invited with a role and has accepted."""
    known = login or new_login(role or "nobody")
    made = said(await invite(auth, by or place.owner, known, role), 201)
    joined = said(await accept(auth, made["code"]))
    token = await token_for(auth, place.id, place.number, joined["subject"])
    return Person(known, joined["subject"], token)


async def token_for(auth: Auth, tenant: str, tenant_no: int, subject: str) -> str:
    """A member's own token, as if made by it."""
    acting = Principal(
        tenant=tenant,
        tenant_no=tenant_no,
        workspace_id=1,
        subject=subject,
        actor=login_actor(UUID(subject.partition(":")[2]), 0),
        scopes=("*",),
        audience="auth",
        epoch=0,
        expires_at=int(time.time()) + 60,
        token="",
    )
    return (await issue_token(auth.running, acting, WantedToken("test"))).secret


async def members(auth: Auth, by: Person) -> dict[str, dict[str, Any]]:
    """The members that somebody sees, by login."""
    listed = said(await auth.ask(by.token, "GET", f"{API}/members"))
    return {member["login"]: member for member in listed["members"]}


async def told(auth: Auth, tenant_no: int) -> list[dict[str, Any]]:
    """The facts of a tenant in the order of their recording, with their payload."""
    async with auth.running.database.reading(tenant_no) as connection:
        rows = await connection.fetch(
            "SELECT type, subject AS key, actor, payload FROM audit_events ORDER BY recorded_at"
        )
    return [{**dict(row), "payload": msgspec.json.decode(row["payload"])} for row in rows]
