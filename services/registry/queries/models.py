"""Registered models as MLflow answers them: one, several in a given order, and searched."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from libs.common.access.selection import predicate, predicate_values
from libs.common.database import Connection
from libs.common.principal import Principal
from services.registry.model.names import model_missing
from services.registry.model.searches import Search
from services.registry.queries import held, versions

_MODELS: Final = """
SELECT m.model_no, m.name, m.created_at, m.updated_at, m.description,
       (SELECT json_agg(json_build_object('key', t.key, 'value', t.value) ORDER BY t.key)
        FROM registered_model_tags t
        WHERE t.tenant_no = $1 AND t.model_no = m.model_no)::text AS tags,
       (SELECT json_agg(json_build_object('alias', a.alias, 'version', a.number::text)
                        ORDER BY a.alias)
        FROM registered_model_aliases a
        WHERE a.tenant_no = $1 AND a.model_no = m.model_no)::text AS aliases
FROM unnest($2::bigint[]) WITH ORDINALITY AS k (model_no, position)
JOIN registered_models m ON m.tenant_no = $1 AND m.model_no = k.model_no
ORDER BY k.position
"""
_FOUND: Final = """
SELECT m.model_no, m.name, coalesce(($11::int4[])[1] * m.updated_at, 0) AS rank
FROM registered_models m
WHERE m.tenant_no = $1 AND m.workspace_id = $2
  AND ($3::text[] IS NULL OR m.name = ANY ($3)) AND m.name <> ALL ($4::text[])
  AND m.name LIKE ALL ($5::text[]) AND m.name ILIKE ALL ($6::text[])
  AND (cardinality($7::text[]) = 0 OR m.model_no IN (
        SELECT t.model_no
        FROM unnest($7::text[], $8::text[], $9::text[]) AS f (key, comparator, value)
        JOIN registered_model_tags t ON t.tenant_no = $1 AND t.key = f.key
            AND CASE f.comparator
                WHEN '=' THEN t.value = f.value WHEN '!=' THEN t.value <> f.value
                WHEN 'LIKE' THEN t.value LIKE f.value ELSE t.value ILIKE f.value END
        GROUP BY t.model_no HAVING count(*) = cardinality($7::text[])))
  AND ($10 OR NOT EXISTS (
        SELECT FROM registered_model_tags p
        WHERE p.tenant_no = $1 AND p.model_no = m.model_no
          AND p.key = 'mlflow.prompt.is_prompt' AND p.value = 'true'))
  AND ($13::text IS NULL OR coalesce(($11::int4[])[1] * m.updated_at, 0) > $14::int8
       OR (coalesce(($11::int4[])[1] * m.updated_at, 0) = $14
           AND CASE WHEN $12 THEN m.name < $13 ELSE m.name > $13 END))
"""
_PAGE: Final = """
ORDER BY rank, CASE WHEN $12 THEN m.name END DESC, m.name
LIMIT $15
"""
_SEARCH: Final = _FOUND + _PAGE
# built-sql: constants of this module and the predicate over two of its columns.
_SEARCH_AMONG: Final = f"{_FOUND} AND {predicate('m.name', 'm.owner', 16)} {_PAGE}"


async def one(
    connection: Connection, principal: Principal, permission: str, name: str
) -> dict[str, Any]:
    """One model; refused as missing where there is none for this caller."""
    model_no = await held.model_no(connection, principal, permission, name, model_missing(name))
    return (await answers(connection, principal, [model_no]))[0]


async def answers(
    connection: Connection, principal: Principal, models: Sequence[int]
) -> list[dict[str, Any]]:
    """The models of these numbers, in this order."""
    if not models:
        return []
    rows = await connection.fetch(_MODELS, principal.tenant_no, list(models))
    latest = await versions.latest_of_models(connection, principal, models)
    return [_answer(row, latest[row["model_no"]]) for row in rows]


async def search(
    connection: Connection, principal: Principal, permission: str, search: Search
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of the models on which the caller holds `permission`, and the token of the next one."""
    selection = principal.rights.selection(permission, principal.workspace_id)
    if selection.nothing:
        return [], None
    name = search.texts["name"]
    before, descending, _ = search.around_name()
    await connection.execute(versions.PLANNED_EACH)
    rows = await connection.fetch(
        _SEARCH if selection.everything else _SEARCH_AMONG,
        principal.tenant_no,
        principal.workspace_id,
        *(name.any_of, name.none_of, name.like, name.ilike),
        *(search.tags.keys, search.tags.comparators, search.tags.values, search.prompts),
        *([sign for _, sign in before], descending),
        *search.after((str, int)),
        search.size + 1,
        *([] if selection.everything else predicate_values(selection)),
    )
    models = [row["model_no"] for row in rows[: search.size]]
    token = search.next_token(rows, lambda row: [row["name"], row["rank"]])
    return await answers(connection, principal, models), token


def _answer(row: asyncpg.Record, latest: list[msgspec.Raw]) -> dict[str, Any]:
    """Fields in the order of MLflow's message; what is unset or empty is left out."""
    answer: dict[str, Any] = {
        "name": row["name"],
        "creation_timestamp": row["created_at"],
        "last_updated_timestamp": row["updated_at"],
    }
    if row["description"]:
        answer["description"] = row["description"]
    if latest:
        answer["latest_versions"] = latest
    for belongings in ("tags", "aliases"):
        if row[belongings] is not None:
            answer[belongings] = msgspec.Raw(row[belongings])
    return answer
