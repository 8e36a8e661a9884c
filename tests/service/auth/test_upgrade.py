"""An installation of a release before passwords goes on after the migration to them."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from libs.common.database.migrations import migrate
from services.auth.service import SERVICE
from tests.databases import drop_database

BEFORE = """
INSERT INTO auth.tenants (tenant_no, tenant_id, name) VALUES (1, gen_random_uuid(), 'one'),
       (2, gen_random_uuid(), 'two');
INSERT INTO auth.users (user_id, login) VALUES ('{user}', 'old-hand');
SET app.tenant = '1';
INSERT INTO auth.memberships (tenant_no, user_id, role) VALUES (1, '{user}', 'owner');
INSERT INTO auth.tokens (tenant_no, token_id, user_id, name, scopes, expires_at)
VALUES (1, gen_random_uuid(), '{user}', 'endless', '{{*}}', NULL),
       (1, gen_random_uuid(), '{user}', 'ending', '{{*}}', '2040-01-01');
SET app.tenant = '2';
INSERT INTO auth.memberships (tenant_no, user_id, role, status) VALUES (2, '{user}', 'owner', 'removed');
"""


async def test_old_tokens_get_an_end_and_old_members_their_tenants(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    assert SERVICE.migrations is not None
    for file in SERVICE.migrations.glob("*.sql"):
        if file.name < "0004":
            shutil.copy(file, tmp_path)
    name = f"upgrade_{uuid4().hex}"
    url = platform_environment["MAESTRO_POSTGRES_URL"]
    admin = await asyncpg.connect(url)
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        here = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path=f"/{name}")))
        try:
            await _upgrade(here, tmp_path, SERVICE.migrations, platform_environment)
        finally:
            await here.close()
            await drop_database(admin, name)
    finally:
        await admin.close()


async def _upgrade(
    here: asyncpg.Connection, before: Path, now: Path, environment: dict[str, str]
) -> None:
    passwords = {
        role: str(urlsplit(environment[f"AUTH_{variable}"]).password)
        for role, variable in (
            ("auth_app", "DATABASE_URL"),
            ("auth_relay", "RELAY_DATABASE_URL"),
        )
    }
    user = uuid4()
    await migrate(here, "auth", before, passwords)
    await here.execute("SET ROLE auth_owner")
    await here.execute(BEFORE.format(user=user))
    await here.execute("RESET ROLE; RESET app.tenant")
    assert "0004_credentials.sql" in await migrate(here, "auth", now, passwords)
    await here.execute("SET ROLE auth_owner; SET app.tenant = '1'")
    ends = await here.fetch(
        "SELECT name, round(extract(epoch FROM expires_at - now()) / 86400)::int AS days"
        " FROM auth.tokens ORDER BY name"
    )
    assert [(row["name"], row["days"] == 366) for row in ends] == [
        ("ending", False),
        ("endless", True),
    ]
    tenants = await here.fetch("SELECT user_id, tenant_no FROM auth.member_tenants")
    assert [(row["user_id"], row["tenant_no"]) for row in tenants] == [(user, 1)]
    await here.execute("UPDATE auth.memberships SET status = 'removed'")
    assert await here.fetchval("SELECT count(*) FROM auth.member_tenants") == 0
    await here.execute("UPDATE auth.memberships SET status = 'active'")
    assert await here.fetchval("SELECT count(*) FROM auth.member_tenants") == 1
