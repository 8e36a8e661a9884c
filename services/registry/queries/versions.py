"""Model versions as MLflow answers them: one, by alias, the latest of each stage, and searched."""

from collections.abc import Sequence
from typing import Final

import asyncpg
import msgspec

from libs.common.access.guard import insist
from libs.common.access.selection import predicate, predicate_values
from libs.common.database import Connection
from libs.common.errors import invalid, missing
from libs.common.filters.pages import Value
from libs.common.principal import Principal
from services.registry.model.names import LATEST, model_missing, version_missing
from services.registry.model.searches import Search
from services.registry.queries import held

Key = tuple[int, int]

# The one place that spells a version's answer: fields in the order of MLflow's message, those
# that are unset left out. Searches show no aliases, as MLflow's do not.
_ANSWERS: Final = """
SELECT v.model_no, v.number, json_strip_nulls(json_build_object(
    'name', m.name,
    'version', v.number::text,
    'creation_timestamp', v.created_at,
    'last_updated_timestamp', v.updated_at,
    'current_stage', v.stage,
    'description', v.description,
    'source', v.source,
    'run_id', v.run_id,
    'status', 'READY',
    'tags', (SELECT json_agg(json_build_object('key', t.key, 'value', t.value) ORDER BY t.key)
             FROM model_version_tags t
             WHERE t.tenant_no = $1 AND t.model_no = v.model_no AND t.number = v.number),
    'run_link', v.run_link,
    'aliases', CASE WHEN $4 THEN
            (SELECT json_agg(a.alias ORDER BY a.alias) FROM registered_model_aliases a
             WHERE a.tenant_no = $1 AND a.model_no = v.model_no AND a.number = v.number) END
    ))::text AS answer
FROM unnest($2::bigint[], $3::int4[]) WITH ORDINALITY AS k (model_no, number, position)
JOIN model_versions v
    ON v.tenant_no = $1 AND v.model_no = k.model_no AND v.number = k.number
JOIN registered_models m ON m.tenant_no = $1 AND m.model_no = v.model_no
ORDER BY k.position
"""
_BY_ALIAS: Final = """
SELECT m.model_no, m.owner, a.number
FROM registered_models m LEFT JOIN registered_model_aliases a
    ON a.tenant_no = m.tenant_no AND a.model_no = m.model_no AND a.alias = $4
WHERE m.tenant_no = $1 AND m.workspace_id = $2 AND m.name = $3
"""
_NEWEST: Final = """
SELECT m.model_no, m.owner, (SELECT max(v.number) FROM model_versions v
                    WHERE v.tenant_no = m.tenant_no AND v.model_no = m.model_no) AS number
FROM registered_models m
WHERE m.tenant_no = $1 AND m.workspace_id = $2 AND m.name = $3
"""
_LATEST: Final = """
SELECT model_no, stage, max(number) AS number
FROM model_versions WHERE tenant_no = $1 AND model_no = ANY($2::bigint[])
GROUP BY model_no, stage ORDER BY model_no, min(number)
"""
_LOCATION: Final = """
SELECT m.owner, v.storage_location
FROM registered_models m JOIN model_versions v USING (tenant_no, model_no)
WHERE m.tenant_no = $1 AND m.workspace_id = $2 AND m.name = $3 AND v.number = $4
"""
# What rows are ordered by before their name and after it: the place in the order of columns, times
# 1 or -1, 0 where nothing stands there.
_RANK: Final = """coalesce(($%(signs)s::int4[])[%(place)s] * CASE ($%(columns)s::text[])[%(place)s]
        WHEN 'number' THEN v.number WHEN 'created' THEN v.created_at
        WHEN 'updated' THEN v.updated_at END, 0)"""
_BEFORE: Final = ", ".join(
    _RANK % {"columns": 22, "signs": 23, "place": place} for place in (1, 2, 3)
)
_BEHIND: Final = ", ".join(
    _RANK % {"columns": 25, "signs": 26, "place": place} for place in (1, 2, 3)
)
_FOUND: Final = """
SELECT m.model_no, v.number, m.name, ARRAY[{before}] AS before, ARRAY[{behind}] AS behind
FROM registered_models m JOIN model_versions v USING (tenant_no, model_no)
WHERE m.tenant_no = $1 AND m.workspace_id = $2
  AND ($3::text[] IS NULL OR m.name = ANY ($3)) AND m.name <> ALL ($4::text[])
  AND m.name LIKE ALL ($5::text[]) AND m.name ILIKE ALL ($6::text[])
  AND ($7::text[] IS NULL OR v.run_id = ANY ($7)) AND v.run_id <> ALL ($8::text[])
  AND v.run_id LIKE ALL ($9::text[]) AND v.run_id ILIKE ALL ($10::text[])
  AND ($11::text[] IS NULL OR v.source = ANY ($11)) AND v.source <> ALL ($12::text[])
  AND v.source LIKE ALL ($13::text[]) AND v.source ILIKE ALL ($14::text[])
  AND v.number BETWEEN $15::bigint AND $16::bigint AND v.number <> ALL ($17::bigint[])
  AND (cardinality($18::text[]) = 0 OR (v.model_no, v.number) IN (
        SELECT t.model_no, t.number
        FROM unnest($18::text[], $19::text[], $20::text[]) AS f (key, comparator, value)
        JOIN model_version_tags t ON t.tenant_no = $1 AND t.key = f.key
            AND CASE f.comparator
                WHEN '=' THEN t.value = f.value WHEN '!=' THEN t.value <> f.value
                WHEN 'LIKE' THEN t.value LIKE f.value ELSE t.value ILIKE f.value END
        GROUP BY t.model_no, t.number HAVING count(*) = cardinality($18::text[])))
  AND ($21 OR NOT EXISTS (
        SELECT FROM model_version_tags p
        WHERE p.tenant_no = $1 AND p.model_no = v.model_no
          AND p.key = 'mlflow.prompt.is_prompt' AND p.value = 'true'))
"""
_AFTER: Final = """
  AND ($27::text IS NULL OR ROW({before}) > ROW($28::int8, $29::int8, $30::int8)
       OR (ROW({before}) = ROW($28::int8, $29::int8, $30::int8)
           AND (CASE WHEN $24 THEN m.name < $27 ELSE m.name > $27 END
                OR (m.name = $27 AND ROW({behind}, -v.number)
                                     > ROW($31::int8, $32::int8, $33::int8, -$34::int8)))))
"""
_PAGE: Final = """
ORDER BY before, CASE WHEN $24 THEN m.name END DESC, m.name, behind, v.number DESC
LIMIT $35
"""
# built-sql: constants of this module and the predicate over two of its columns.
_ALL: Final = (_FOUND + _AFTER).format(before=_BEFORE, behind=_BEHIND)
_SEARCH: Final = _ALL + _PAGE
# built-sql: constants of this module and the predicate over two of its columns.
_SEARCH_AMONG: Final = f"{_ALL} AND {predicate('m.name', 'm.owner', 36)} {_PAGE}"
_KEYS: Final = (str, *(int,) * 7)
# A plan for all searches alike would have to ignore every index: each gets its own.
PLANNED_EACH: Final = "SELECT set_config('plan_cache_mode', 'force_custom_plan', true)"


async def answers(
    connection: Connection, principal: Principal, keys: Sequence[Key], *, aliases: bool
) -> dict[Key, msgspec.Raw]:
    """The versions of `keys` (model, number) as JSON, in the order of the keys."""
    if not keys:
        return {}
    models, numbers = [key[0] for key in keys], [key[1] for key in keys]
    rows = await connection.fetch(_ANSWERS, principal.tenant_no, models, numbers, aliases)
    return {(row["model_no"], row["number"]): msgspec.Raw(row["answer"]) for row in rows}


async def one(
    connection: Connection, principal: Principal, permission: str, name: str, number: int
) -> msgspec.Raw:
    """One version; refused as missing where there is none for this caller."""
    missing = version_missing(name, number)
    model_no = await held.model_no(connection, principal, permission, name, missing)
    found = await answers(connection, principal, [(model_no, number)], aliases=True)
    for answer in found.values():
        return answer
    raise missing


async def by_alias(
    connection: Connection, principal: Principal, permission: str, name: str, alias: str
) -> tuple[Key, msgspec.Raw]:
    """The version an alias points at; `latest` is the newest one."""
    scope = principal.tenant_no, principal.workspace_id
    if alias.lower() == LATEST:
        row = await connection.fetchrow(_NEWEST, *scope, name)
    else:
        row = await connection.fetchrow(_BY_ALIAS, *scope, name, alias)
    if row is None:
        raise model_missing(name)
    insist(principal, permission, name, row["owner"], missing=model_missing(name))
    if row["number"] is None and alias.lower() == LATEST:
        raise missing(f"Latest version not found for model {name}.")
    if row["number"] is None:
        raise invalid(f"Registered model alias {alias} not found.")
    key = row["model_no"], row["number"]
    found = await answers(connection, principal, [key], aliases=True)
    return key, found[key]


async def latest(
    connection: Connection, principal: Principal, permission: str, name: str, stages: Sequence[str]
) -> list[msgspec.Raw]:
    """The newest version of each of `stages` that has one."""
    keys = await latest_keys_of(connection, principal, permission, name, stages)
    return list((await answers(connection, principal, keys, aliases=True)).values())


async def latest_keys_of(
    connection: Connection, principal: Principal, permission: str, name: str, stages: Sequence[str]
) -> list[Key]:
    """The newest version of each of `stages` that has one; refused where there is no model."""
    model_no = await held.model_no(connection, principal, permission, name, model_missing(name))
    rows = await connection.fetch(_LATEST, principal.tenant_no, [model_no])
    return [(model_no, row["number"]) for row in rows if row["stage"] in stages]


async def latest_of_models(
    connection: Connection, principal: Principal, models: Sequence[int]
) -> dict[int, list[msgspec.Raw]]:
    """The newest version of each stage, for each of `models`."""
    rows = await connection.fetch(_LATEST, principal.tenant_no, list(models))
    keys = [(row["model_no"], row["number"]) for row in rows]
    found: dict[int, list[msgspec.Raw]] = {model_no: [] for model_no in models}
    for (model_no, _), answer in (
        await answers(connection, principal, keys, aliases=False)
    ).items():
        found[model_no].append(answer)
    return found


async def location(
    connection: Connection, principal: Principal, permission: str, name: str, number: int
) -> str:
    """Where the files of a version lie; refused as missing where there is none for this caller."""
    scope = principal.tenant_no, principal.workspace_id
    row = await connection.fetchrow(_LOCATION, *scope, name, number)
    missing = version_missing(name, number)
    if row is None:
        raise missing
    insist(principal, permission, name, row["owner"], missing=missing)
    return str(row["storage_location"])


async def search(
    connection: Connection, principal: Principal, permission: str, search: Search
) -> tuple[list[msgspec.Raw], str | None]:
    """A page of versions of models on which the caller holds `permission`, and the next one's token."""
    selection = principal.rights.selection(permission, principal.workspace_id)
    if selection.nothing:
        return [], None
    name, run_id, source = (search.texts[key] for key in ("name", "run_id", "source_path"))
    before, descending, after = search.around_name()
    await connection.execute(PLANNED_EACH)
    rows = await connection.fetch(
        _SEARCH if selection.everything else _SEARCH_AMONG,
        principal.tenant_no,
        principal.workspace_id,
        *(name.any_of, name.none_of, name.like, name.ilike),
        *(run_id.any_of, run_id.none_of, run_id.like, run_id.ilike),
        *(source.any_of, source.none_of, source.like, source.ilike),
        *(search.number.least, search.number.most, search.number.none_of),
        *(search.tags.keys, search.tags.comparators, search.tags.values, search.prompts),
        *([column for column, _ in before], [sign for _, sign in before], descending),
        *([column for column, _ in after], [sign for _, sign in after]),
        *search.after(_KEYS),
        search.size + 1,
        *([] if selection.everything else predicate_values(selection)),
    )
    keys = [(row["model_no"], row["number"]) for row in rows[: search.size]]
    found = await answers(connection, principal, keys, aliases=False)
    return list(found.values()), search.next_token(rows, _sort_values)


def _sort_values(row: asyncpg.Record) -> list[Value]:
    return [row["name"], *row["before"], *row["behind"], row["number"]]
