"""Reads the live catalogue of PostgreSQL and says where a schema falls short of its declaration.

Tables are of three declared classes. *tenant*: row level security that nothing gets around;
*platform* and *lookup*: exceptions with a reason. What is not declared is a finding.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import asyncpg

Row = Mapping[str, Any]
TENANT: Final = (
    "(tenant_no = (NULLIF(current_setting('app.tenant'::text, true), ''::text))::integer)"
)
DEFINER_FUNCTIONS: Final = frozenset({"rotate_events"})

RELATIONS: Final = """
SELECT c.relname AS name, c.relkind::text AS kind, pg_get_userbyid(c.relowner) AS owner,
       c.relrowsecurity AS secured, c.relforcerowsecurity AS forced,
       c.relispartition AS is_partition,
       (SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
        WHERE i.inhrelid = c.oid) AS parent,
       (SELECT format_type(a.atttypid, NULL) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_no') AS tenant_column
FROM pg_class c
WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname
"""
POLICIES: Final = """
SELECT tablename AS name, permissive, roles::text[] AS roles, cmd, qual, with_check
FROM pg_policies WHERE schemaname = $1
"""
KEYS: Final = """
SELECT c.relname AS name, i.indisprimary AS is_primary, k.relname AS key,
       (SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0]) AS leading
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class k ON k.oid = i.indexrelid
WHERE c.relnamespace = $1::regnamespace AND i.indisunique
"""
FOREIGN_KEYS: Final = """
SELECT c.relname AS name, f.conname AS key, t.relname AS target,
       (SELECT a.attname FROM pg_attribute a
        WHERE a.attrelid = f.conrelid AND a.attnum = f.conkey[1]) AS leading
FROM pg_constraint f
JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class t ON t.oid = f.confrelid
WHERE c.relnamespace = $1::regnamespace AND f.contype = 'f'
"""
GRANTS: Final = """
SELECT table_name AS name, grantee, privilege_type AS privilege
FROM information_schema.role_table_grants WHERE table_schema = $1
"""
FUNCTIONS: Final = """
SELECT p.proname AS name FROM pg_proc p WHERE p.pronamespace = $1::regnamespace AND p.prosecdef
"""
ROLES: Final = """
SELECT r.rolname AS name, r.rolcanlogin AS logs_in,
       r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication AS strong,
       EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid) AS is_member,
       EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid) AS owns
FROM pg_roles r WHERE r.rolname = ANY($1)
"""


async def shortcomings(
    connection: asyncpg.Connection, schema: str, declared: Mapping[str, str]
) -> list[str]:
    """Every way in which `schema` is not what `declared` (table → class) promises."""
    relations = {row["name"]: row for row in await connection.fetch(RELATIONS, schema)}
    found = list(_declarations(schema, relations, declared))
    guarded = _guarded(relations, declared)
    found += _policies(relations, guarded, await connection.fetch(POLICIES, schema))
    found += _keys(guarded, await connection.fetch(KEYS, schema))
    found += _foreign_keys(guarded, await connection.fetch(FOREIGN_KEYS, schema))
    found += _grants(schema, relations, guarded, await connection.fetch(GRANTS, schema))
    found += [
        f"function {row['name']} runs with its owner's rights"
        for row in await connection.fetch(FUNCTIONS, schema)
        if row["name"] not in DEFINER_FUNCTIONS
    ]
    roles = [f"{schema}_owner", f"{schema}_app", f"{schema}_relay"]
    found += _roles(schema, await connection.fetch(ROLES, roles))
    return found


def _root(name: str, relations: Mapping[str, Row]) -> str:
    """The table that a partition belongs to; a table itself."""
    while relations[name]["is_partition"]:
        name = relations[name]["parent"]
    return name


def _guarded(relations: Mapping[str, Row], declared: Mapping[str, str]) -> set[str]:
    """Tenants' tables with their partitions."""
    return {name for name in relations if declared.get(_root(name, relations)) == "tenant"}


def _declarations(
    schema: str, relations: Mapping[str, Row], declared: Mapping[str, str]
) -> Iterator[str]:
    for name in declared.keys() - relations.keys():
        yield f"{name} is declared and not there"
    for name, row in relations.items():
        kind = declared.get(_root(name, relations), "")
        word, _, reason = kind.partition(":")
        if not kind:
            yield f"{name} is not declared"
        elif word not in {"tenant", "platform", "lookup"} or (word != "tenant") != bool(reason):
            yield f"{name} is declared as {kind!r}: tenant, or platform or lookup and why"
        elif word == "lookup" and schema != "auth":
            yield f"{name}: auth alone finds things before the tenant is known"
        if row["kind"] not in {"r", "p"}:
            yield f"{name} is a view or a foreign table, which policies do not reach"
        if row["owner"] != f"{schema}_owner":
            yield f"{name} belongs to {row['owner']}"


def _policies(
    relations: Mapping[str, Row], guarded: set[str], policies: list[Row]
) -> Iterator[str]:
    for name in sorted(guarded):
        row = relations[name]
        of_table = [policy for policy in policies if policy["name"] == name]
        if row["tenant_column"] != "integer not null":
            yield f"{name}.tenant_no is {row['tenant_column']}"
        if row["is_partition"] and not of_table:
            continue  # reachable through its parent alone, as no grant is on it: see _grants
        if not row["secured"] or not row["forced"]:
            yield f"{name}: row level security is not forced"
        if not of_table:
            yield f"{name} has no policy"
        for policy in of_table:
            whole = policy["cmd"] == "ALL" and policy["roles"] == ["public"]
            if not whole or policy["qual"] != TENANT or policy["with_check"] != TENANT:
                yield f"{name}: a policy other than the tenant's, for all commands, both ways"


def _keys(guarded: set[str], keys: list[Row]) -> Iterator[str]:
    for name in sorted(guarded - {row["name"] for row in keys if row["is_primary"]}):
        # Telemetry has no key; what is found in it is found by another table's.
        if not name.startswith("metric_points"):
            yield f"{name} has no primary key"
    for row in keys:
        if row["name"] in guarded and row["leading"] != "tenant_no":
            yield f"{row['key']}: a unique key across tenants tells one of another"


def _foreign_keys(guarded: set[str], keys: list[Row]) -> Iterator[str]:
    for row in keys:
        if row["target"] in guarded and row["leading"] != "tenant_no":
            yield f"{row['key']}: refers to {row['target']} without the tenant"


def _grants(
    schema: str, relations: Mapping[str, Row], guarded: set[str], grants: list[Row]
) -> Iterator[str]:
    owner, app, relay = f"{schema}_owner", f"{schema}_app", f"{schema}_relay"
    for row in grants:
        name, grantee, privilege = row["name"], row["grantee"], row["privilege"]
        if grantee == owner:
            continue
        if grantee not in {app, relay}:
            yield f"{name}: {privilege} for {grantee}"
        elif name in guarded and relations[name]["is_partition"] and not relations[name]["secured"]:
            yield f"{name}: {privilege} on a partition gets around its parent's policy"
        elif name in guarded and grantee == relay:
            yield f"{name}: the relay may {privilege}"
        elif privilege in {"TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"}:
            yield f"{name}: {privilege} for {grantee}"
        elif _root(name, relations) == "outbox" and (grantee, privilege) not in {
            (app, "INSERT"),
            (relay, "SELECT"),
        }:
            yield f"{name}: {privilege} for {grantee}; the app inserts, the relay reads and marks"


def _roles(schema: str, roles: list[Row]) -> Iterator[str]:
    found = {row["name"]: row for row in roles}
    for name in (f"{schema}_owner", f"{schema}_app", f"{schema}_relay"):
        row = found.get(name)
        if row is None:
            yield f"the role {name} is not there"
            continue
        if row["strong"]:
            yield f"{name} may more than a service needs"
        if name.endswith("_owner"):
            if row["logs_in"]:
                yield f"{name} can log in"
        elif row["owns"] or row["is_member"]:
            yield f"{name} owns something or is a member of another role"
