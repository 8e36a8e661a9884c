"""Which model a name means to a caller: one of the workspace on which a permission is held."""

from typing import Final

from libs.common.access.guard import insist
from libs.common.database import Connection
from libs.common.errors import Refusal
from libs.common.principal import Principal

_MODEL: Final = """
SELECT model_no, owner FROM registered_models
WHERE tenant_no = $1 AND workspace_id = $2 AND name = $3
"""


async def model_no(
    connection: Connection, principal: Principal, permission: str, name: str, missing: Refusal
) -> int:
    """The number of a model; `missing` is raised where there is none for this caller."""
    number, _ = await _of(connection, principal, permission, name, missing)
    return number


async def owner(
    connection: Connection, principal: Principal, permission: str, name: str, missing: Refusal
) -> str:
    """The owner of a model; `missing` is raised where there is none for this caller."""
    _, found = await _of(connection, principal, permission, name, missing)
    return found


async def _of(
    connection: Connection, principal: Principal, permission: str, name: str, missing: Refusal
) -> tuple[int, str]:
    row = await connection.fetchrow(_MODEL, principal.tenant_no, principal.workspace_id, name)
    if row is None:
        raise missing
    insist(principal, permission, name, row["owner"], missing=missing)
    return row["model_no"], row["owner"]
