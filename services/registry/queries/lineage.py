"""What a version that is to be copied came from."""

from typing import Final

from libs.common.access.guard import insist
from libs.common.access.permissions import READ_OF
from libs.common.database import Connection
from libs.common.principal import Principal
from services.registry.model.entries import Origin
from services.registry.model.names import PROMPT_TAG, model_missing, version_missing
from services.registry.model.sources import from_prompt

_MODEL: Final = """
SELECT coalesce((SELECT lower(t.value) = 'true' FROM registered_model_tags t
                 WHERE t.tenant_no = m.tenant_no AND t.model_no = m.model_no AND t.key = $4), false)
       AS is_prompt, m.owner
FROM registered_models m WHERE m.tenant_no = $1 AND m.workspace_id = $2 AND m.name = $3
"""
_ORIGIN: Final = """
SELECT v.storage_location, v.run_id, v.logged_model_id
FROM registered_models m JOIN model_versions v USING (tenant_no, model_no)
WHERE m.tenant_no = $1 AND m.workspace_id = $2 AND m.name = $3 AND v.number = $4
"""


async def check_not_prompt(
    connection: Connection, principal: Principal, name: str, source: str
) -> None:
    """Refuse where there is no model of this name for the caller, or it is a prompt."""
    scope = principal.tenant_no, principal.workspace_id
    row = await connection.fetchrow(_MODEL, *scope, name, PROMPT_TAG)
    if row is None:
        raise model_missing(name)
    insist(principal, READ_OF["model"], name, row["owner"], missing=model_missing(name))
    if row["is_prompt"]:
        raise from_prompt(source)


async def origin(connection: Connection, principal: Principal, name: str, number: int) -> Origin:
    """The origin that a copy of this version has; refused as missing where there is none."""
    scope = principal.tenant_no, principal.workspace_id
    row = await connection.fetchrow(_ORIGIN, *scope, name, number)
    if row is None:
        raise version_missing(name, number)
    return Origin(
        source=f"models:/{name}/{number}",
        storage_location=row["storage_location"],
        run_id=row["run_id"],
        logged_model_id=row["logged_model_id"],
    )
