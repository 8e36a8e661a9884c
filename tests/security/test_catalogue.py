"""The live database is what the services declare, and each way of falling short is noticed."""

from collections.abc import AsyncIterator, Mapping

import asyncpg
import pytest
import pytest_asyncio

from libs.common.service import PLATFORM_TABLES
from services import SERVICES, service
from tests.security.catalogue import shortcomings
from tests.serving import prepared

OWNERS = [name for name in SERVICES if service(name).migrations is not None]
SOUND = """
CREATE TABLE things (tenant_no int4 NOT NULL, id int4 NOT NULL, PRIMARY KEY (tenant_no, id));
ALTER TABLE things ENABLE ROW LEVEL SECURITY;
ALTER TABLE things FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON things
    USING (tenant_no = nullif(current_setting('app.tenant', true), '')::int4)
    WITH CHECK (tenant_no = nullif(current_setting('app.tenant', true), '')::int4);
GRANT SELECT, INSERT ON things TO probe_app;
"""
UNKEYED = "ALTER TABLE things DROP CONSTRAINT things_pkey"
FAULTS = {
    "an undeclared table": ("CREATE TABLE stray (id int)", "stray is not declared"),
    "a missing table": ("DROP TABLE things", "things is declared and not there"),
    "a view": ("CREATE VIEW things_seen AS SELECT * FROM things", "things_seen is a view"),
    "no security": ("ALTER TABLE things DISABLE ROW LEVEL SECURITY", "is not forced"),
    "unforced": ("ALTER TABLE things NO FORCE ROW LEVEL SECURITY", "is not forced"),
    "no policy": ("DROP POLICY own_tenant ON things", "things has no policy"),
    "a wide policy": (
        "CREATE POLICY wide ON things USING (true) WITH CHECK (true)",
        "a policy other than the tenant's",
    ),
    "a policy of one way": (
        "ALTER POLICY own_tenant ON things WITH CHECK (true)",
        "a policy other than the tenant's",
    ),
    "a key across tenants": ("CREATE UNIQUE INDEX one ON things (id)", "one: a unique key across"),
    "no key": (UNKEYED, "things has no primary key"),
    "a nullable tenant": (
        UNKEYED + "; ALTER TABLE things ALTER tenant_no DROP NOT NULL",
        "things.tenant_no is integer",
    ),
    "a right for everybody": ("GRANT SELECT ON things TO PUBLIC", "SELECT for PUBLIC"),
    "a right to empty": ("GRANT TRUNCATE ON things TO probe_app", "TRUNCATE for probe_app"),
    "a right of the relay": ("GRANT SELECT ON things TO probe_relay", "the relay may SELECT"),
    "a definer's function": (
        "CREATE FUNCTION peek() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1",
        "function peek runs with its owner's rights",
    ),
    "a reference without the tenant": (
        "ALTER TABLE things ADD UNIQUE (id), ADD next int4 REFERENCES things (id)",
        "refers to things without the tenant",
    ),
    "a strong role": ("ALTER ROLE probe_app CREATEROLE", "probe_app may more than a service"),
    "an owning role": ("ALTER TABLE things OWNER TO probe_app", "probe_app owns something"),
    "a role that logs in": ("ALTER ROLE probe_owner LOGIN", "probe_owner can log in"),
}


@pytest_asyncio.fixture
async def admin(platform_environment: Mapping[str, str]) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the administrator, which sees all schemas."""
    connection = await asyncpg.connect(platform_environment["MAESTRO_POSTGRES_URL"])
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("name", OWNERS)
async def test_a_service_keeps_its_declaration(
    name: str, admin: asyncpg.Connection, platform_environment: Mapping[str, str]
) -> None:
    """Tables, policies, keys, rights and roles of each schema are what its service declares."""
    await prepared([service(name)], platform_environment)
    declared = {**PLATFORM_TABLES, **service(name).tables}
    assert await shortcomings(admin, name, declared) == []


@pytest_asyncio.fixture
async def probe(admin: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """A schema with one sound table, in a transaction that is never committed."""
    transaction = admin.transaction()
    await transaction.start()
    for role in ("probe_owner", "probe_app", "probe_relay"):
        await admin.execute(f"CREATE ROLE {role}")
    await admin.execute("ALTER ROLE probe_app LOGIN; ALTER ROLE probe_relay LOGIN")
    await admin.execute("CREATE SCHEMA probe AUTHORIZATION probe_owner")
    await admin.execute("GRANT CREATE, USAGE ON SCHEMA probe TO probe_app")
    await admin.execute("SET LOCAL ROLE probe_owner; SET LOCAL search_path = probe")
    await admin.execute(SOUND)
    try:
        yield admin
    finally:
        await transaction.rollback()


async def test_a_sound_table_passes(probe: asyncpg.Connection) -> None:
    """The example that the faults below are made from has none."""
    assert await shortcomings(probe, "probe", {"things": "tenant"}) == []


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_noticed(fault: str, probe: asyncpg.Connection) -> None:
    """Each change that would open a way around the tenant is found."""
    change, said = FAULTS[fault]
    if "ROLE" in change or "OWNER TO" in change:
        await probe.execute("RESET ROLE")
    await probe.execute(change)
    found = await shortcomings(probe, "probe", {"things": "tenant"})
    assert any(said in line for line in found), found


async def test_a_partition_with_rights_of_its_own_is_noticed(probe: asyncpg.Connection) -> None:
    """A query on a partition passes by its parent's policy."""
    await probe.execute(
        SOUND.replace("things", "parts").replace("id))", "id)) PARTITION BY LIST (id)")
        + "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);"
    )
    declared = {"things": "tenant", "parts": "tenant"}
    assert await shortcomings(probe, "probe", declared) == []
    await probe.execute("GRANT SELECT ON parts_1 TO probe_app")
    found = await shortcomings(probe, "probe", declared)
    assert found == ["parts_1: SELECT on a partition gets around its parent's policy"]


async def test_an_exception_needs_a_reason(probe: asyncpg.Connection) -> None:
    """A table outside the policies says why; and only auth looks things up without a tenant."""
    assert await shortcomings(probe, "probe", {"things": "platform"})
    assert await shortcomings(probe, "probe", {"things": "lookup: faster"})
    assert await shortcomings(probe, "probe", {"things": "platform: one for all"}) == []
