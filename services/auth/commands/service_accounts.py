"""Service accounts: members that are no persons, belong to one tenant and have tokens alone."""

from uuid import uuid4

from libs.common.contracts.auth import UserCreated
from libs.common.errors import exists, missing
from libs.common.events.outbox import Recording, unit_of_work
from libs.common.principal import Principal
from services.auth.commands.access import access_changed, rights_to_change
from services.auth.commands.facts import user_state
from services.auth.commands.invitations import rules_of_role
from services.auth.commands.members import touched
from services.auth.commands.tokens import IssuedToken, WantedToken, issuing
from services.auth.model.holding import insist_holds
from services.auth.model.members import Member, account_login, insist_room
from services.auth.queries.members import member, places_taken
from services.auth.store.members import add_user, join
from services.auth.store.tenants import lock_tenant


async def add_service_account(
    running: Recording, caller: Principal, name: str, role: str | None, description: str
) -> Member:
    """Make a service account with a role that holds no more than the caller does, or with none."""
    user_id = uuid4()
    async with unit_of_work(running, caller) as work:
        rights = await rights_to_change(work, caller)
        tenant = await lock_tenant(work.connection, caller.tenant_no)
        rules = await rules_of_role(work.connection, caller.tenant_no, role)
        insist_holds(rights, rules, f"make a service account that is {role}")
        insist_room(tenant, sum(await places_taken(work.connection, caller.tenant_no)))
        login = account_login(tenant.name, name)
        if not await add_user(
            work.connection, user_id, login, kind="service", display_name=description
        ):
            raise exists(f"name: the service account {login} exists.")
        await join(work.connection, caller.tenant_no, user_id, role)
        made = await member(work.connection, caller.tenant_no, user_id)
        work.record(UserCreated(version=made.version, user=user_state(made)))
        await access_changed(work, [user_id])
        return made


async def issue_account_token(
    running: Recording, caller: Principal, account: str, wanted: WantedToken
) -> IssuedToken:
    """A token that speaks for a service account which holds no more than the caller does."""
    async with unit_of_work(running, caller) as work:
        found = await touched(work, caller, account, "issue a token for")
        if found.kind != "service":
            raise missing(f"Service account {account!r} not found")
        return await issuing(work, caller, found.user_id, wanted)
