"""Which workspace a credential works in: the one that a request names, or its own."""

from dataclasses import replace

from libs.common.access.rights import compile_rights
from libs.common.database import Database
from libs.common.workspaces import DEFAULT_ID, DEFAULT_NAME, no_workspace
from services.auth.model.credential import Credential
from services.auth.model.workspaces import WorkspaceRefused
from services.auth.queries.access import access_of, accesses_of
from services.auth.queries.workspaces import active_workspace


async def insist_own(database: Database, known: Credential) -> None:
    """Raise WorkspaceRefused where the credential's own workspace was deleted, or is closed to its
    holder by a denial of `workspace.read`.

    Whether anything is allowed there is not asked: what one may not see there is not shown.
    """
    if not known.workspace_stands or await _is_kept_out(database, known):
        raise WorkspaceRefused(
            f"{no_workspace(known.workspace).message}. It was this credential's own: name another"
            " one with MLFLOW_WORKSPACE (the header X-MLFLOW-WORKSPACE)."
        )


async def _is_kept_out(database: Database, known: Credential) -> bool:
    async with database.reading(known.tenant_no) as connection:
        place = (known.workspace_id, "")
        found = await accesses_of(connection, known.tenant_no, [known.user_id], place)
    told = found.get(known.user_id)
    if told is None:
        return True
    return compile_rights(told.access, told.version, known.scopes).kept_out(known.workspace_id)


async def entered(database: Database, known: Credential, name: str) -> Credential:
    """The credential in the workspace of that name.

    Raises WorkspaceRefused, in the same words, for a workspace that is not there and for one that
    the holder may not enter.
    """
    async with database.reading(known.tenant_no) as connection:
        found = await active_workspace(connection, known.tenant_no, name)
        told = await access_of(connection, known.tenant_no, known.user_id)
    number = None if found is None else found.workspace_id
    if name == DEFAULT_NAME:
        # A tenant that has done nothing with workspaces so far may have no row of its first.
        number = DEFAULT_ID
    if number is None or told is None:
        raise WorkspaceRefused(no_workspace(name).message)
    if not compile_rights(told.access, told.version, known.scopes).enters(number):
        raise WorkspaceRefused(no_workspace(name).message)
    return replace(known, workspace_id=number, workspace=name, workspace_stands=True)
