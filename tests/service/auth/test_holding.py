"""Nobody makes, invites or touches a member that holds more, elsewhere or for longer, than they."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.auth.store.tenants import lock_tenant
from tests.service.auth.colleagues import FIRST_TENANT, OWN, Person, grant, join, said
from tests.service.auth.installation import Auth
from tests.waiting import eventually

SECRET = {"kind": "experiment", "workspace_id": 1, "pattern": "secret/*"}


async def admin_of_a_minute(auth: Auth) -> Person:
    """Somebody who is an admin by a grant that ends soon."""
    person = await join(auth, None)
    await grant(await join(auth, "owner"), person, kind="tenant", role="admin", expires_in=60)
    return person


async def admin_denied_something(auth: Auth) -> Person:
    """An admin to whom some experiments of a workspace are denied."""
    person = await join(auth, "admin")
    reads = ["experiment.read", "run.read"]
    await grant(await join(auth, "owner"), person, **SECRET, effect="deny", permissions=reads)
    return person


@pytest.mark.parametrize("make", [admin_of_a_minute, admin_denied_something])
async def test_who_holds_less_than_an_admin_passes_no_admin_on(auth: Auth, make: Any) -> None:
    less, admin = await make(auth), await join(auth, "admin")
    login = f"new-{less.user_id.hex[:8]}"
    account, strong = f"less-{login}", f"strong-{login}"
    body: dict[str, str | None] = {"name": strong, "role": "admin"}
    assert (await admin.ask("POST", "/service-accounts", body)).status == 201
    invitation = {"login": f"{login}@example.org", "role": "admin"}
    made = await admin.ask("POST", "/invitations", invitation)
    assert made.status == 201
    open_one = (await admin.get("/invitations"))["invitations"]
    path = next(f"/invitations/{i['id']}" for i in open_one if i["login"] == invitation["login"])
    for method, to, what in (
        ("POST", "/service-accounts", {"name": account, "role": "admin"}),
        ("POST", f"/service-accounts/{strong}/tokens", {"name": "job", "expires_in_days": 300}),
        ("POST", "/invitations", {"login": f"second-{login}", "role": "admin"}),
        ("DELETE", path, None),
        ("POST", f"/members/{admin.subject}/suspend", None),
        ("POST", f"/members/{admin.subject}/resume", None),
        ("DELETE", f"/members/{admin.subject}", None),
    ):
        reply = await less.ask(method, to, what)
        assert reply.status == 403, (method, to)
        assert "for as long" in said(reply)
    # With no role it is given nothing.
    body = {"name": account, "role": None}
    assert (await less.ask("POST", "/service-accounts", body)).status == 201


async def test_removing_a_member_takes_holding_what_is_denied_to_it(auth: Auth) -> None:
    owner, lead, member = [await join(auth, role) for role in ("owner", None, None)]
    await grant(owner, lead, kind="tenant", permissions=["member.manage", "model.read"])
    await grant(owner, member, **SECRET, effect="deny", permissions=["experiment.read"])
    reply = await lead.ask("DELETE", f"/members/{member.subject}")
    assert reply.status == 403
    assert "experiment.read" in said(reply)
    # To hold up a member lifts nothing.
    assert (await lead.ask("POST", f"/members/{member.subject}/suspend")).status == 200
    await grant(owner, lead, **SECRET, permissions=["experiment.read"])
    assert (await lead.ask("DELETE", f"/members/{member.subject}")).status == 204


@pytest.mark.parametrize("doing", ["account", "token", "invite", "take back", "suspend"])
async def test_who_is_made_less_while_a_request_waits_is_asked_for_what_is_held_then(
    auth: Auth, doing: str
) -> None:
    admin, other = await join(auth, "admin"), await join(auth, "admin")
    name = f"made-{other.user_id.hex[:8]}"
    account = {"name": name, "role": "admin"}
    invitation = {"login": f"{name}@example.org", "role": "admin"}
    assert (await other.ask("POST", "/service-accounts", account)).status == 201
    reply = await other.ask("POST", "/invitations", invitation)
    made = msgspec.json.decode(reply.body)["invitation"]["id"]
    method, path, body = {
        "account": ("POST", "/service-accounts", {**account, "name": f"{name}-2"}),
        "token": ("POST", f"/service-accounts/{name}/tokens", {"name": "job"}),
        "invite": ("POST", "/invitations", {**invitation, "login": f"2-{name}"}),
        "take back": ("DELETE", f"/invitations/{made}", None),
        "suspend": ("POST", f"/members/{other.subject}/suspend", None),
    }[doing]
    principal = await auth.principal(admin.token)
    async with auth.running.database.transaction(FIRST_TENANT) as connection:
        await lock_tenant(connection, FIRST_TENANT)
        asked = asyncio.create_task(auth.ask_as(principal, method, f"{OWN}{path}", body))

        async def it_waits() -> bool:
            statement = (
                "SELECT EXISTS (SELECT FROM pg_stat_activity"
                " WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
            )
            return bool(await connection.fetchval(statement))

        await eventually(it_waits, within=30)
        await connection.execute(
            "UPDATE memberships SET role = 'viewer' WHERE tenant_no = $1 AND user_id = $2",
            FIRST_TENANT,
            admin.user_id,
        )
    assert (await asked).status == 403
