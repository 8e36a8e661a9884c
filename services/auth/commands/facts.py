"""The facts of auth, made from what was stored."""

from libs.common.contracts.auth import Token
from libs.common.contracts.auth import Workspace as WorkspaceState
from services.auth.model.credential import subject_of
from services.auth.model.workspaces import Workspace
from services.auth.store.identity import StoredToken


def token_state(stored: StoredToken) -> Token:
    """A token as facts carry it: no secret, no digest."""
    expires_at = stored.expires_at
    return Token(
        token_id=str(stored.token_id),
        name=stored.name,
        subject=subject_of(stored.user_id),
        expires_at=None if expires_at is None else int(expires_at.timestamp() * 1000),
    )


def workspace_state(workspace: Workspace) -> WorkspaceState:
    """A workspace as facts carry it."""
    return WorkspaceState(
        workspace_id=workspace.workspace_id,
        name=workspace.name,
        status=workspace.status,
        description=workspace.description or "",
    )
