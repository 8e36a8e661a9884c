"""Many tenants with an owner and a run each, so that one load is spread over all of them."""

from typing import Final
from uuid import uuid4

import asyncpg

from services.auth.model.credential import ALL_SCOPES, FIRST_WORKSPACE
from services.auth.model.secrets import digest, new_secret
from services.auth.store.identity import NewToken, add_member, add_tenant, add_token
from tests.load.asking import post
from tests.load.operations import Site

TENANTS: Final = 64
_PLAN: Final = "unlimited"


async def add_tenants(site: Site, superuser_url: str) -> None:
    """The tenants, as auth would store them, and a run of each, as its owner makes it."""
    connection = await asyncpg.connect(superuser_url, server_settings={"search_path": "auth"})
    try:
        tokens = []
        for number in range(TENANTS):
            async with connection.transaction():
                tokens.append(await _owner(connection, f"spread-{number:02}"))
    finally:
        await connection.close()
    for token in tokens:
        owners = Site(site.host, site.port, token)
        experiment = await post(owners, "experiments/create", {"name": "spread"})
        body = {"experiment_id": experiment["experiment_id"], "start_time": 1, "tags": []}
        made = await post(owners, "runs/create", body)
        site.tenants.append((token, str(made["run"]["info"]["run_id"])))


async def _owner(connection: "asyncpg.Connection", name: str) -> str:
    """A tenant with an owner; the owner's token."""
    tenant_no = await add_tenant(connection, uuid4(), name, _PLAN)
    await connection.execute(
        "INSERT INTO workspaces (tenant_no, workspace_id, name) VALUES ($1, 1, 'default')",
        tenant_no,
    )
    owner, secret = uuid4(), new_secret()
    await add_member(connection, tenant_no, owner, f"{name}-owner", "owner")
    token = NewToken(
        token_id=uuid4(),
        digest=digest(secret),
        name="first",
        user_id=owner,
        workspace_id=FIRST_WORKSPACE,
        scopes=ALL_SCOPES,
        expires_in_days=30,
    )
    await add_token(connection, tenant_no, token)
    return secret
