"""A tenant's workspaces: what is kept of them, and what cannot be asked for."""

import time
from dataclasses import dataclass
from typing import Final

from libs.common.access.permissions import PERMISSIONS
from libs.common.access.rights import Rights
from libs.common.errors import Refusal, denied, invalid
from libs.common.workspaces import DEFAULT_ID, DEFAULT_NAME, Contents, check_name
from services.auth.model.members import Tenant

RESTRICT: Final = "RESTRICT"
SET_DEFAULT: Final = "SET_DEFAULT"
MODES: Final = (SET_DEFAULT, "CASCADE", RESTRICT)
# What moves leaves the rules about it behind, and is its new owner's by name as if made there.
_LEAVES: Final = tuple(
    one.name
    for one in PERMISSIONS.values()
    if one.kind in ("experiment", "model") and one.name.endswith((".read", ".manage"))
)
_ARRIVES: Final = ("experiment.create", "model.register")
_ENDS: Final = ("experiment.delete", "model.delete")
LONGEST_DESCRIPTION: Final = 10_000
# The client gets an error that it does not try again; MLflow's own status for it is 500.
_INVALID_STATE: Final = 400


class WorkspaceRefused(Exception):
    """A credential may not enter the workspace it asks for; the message is for its holder."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace as it stands; `status` is `active`, `deleting` or `deleted`."""

    workspace_id: int
    name: str
    description: str | None
    status: str
    version: int


def check_new_name(name: str) -> None:
    """Refuse a name that a new workspace cannot have."""
    if name == DEFAULT_NAME:
        raise invalid(f"The '{DEFAULT_NAME}' workspace is reserved and cannot be created")
    check_name(name)


def check_deletable(name: str, mode: str) -> None:
    """Refuse to delete the default workspace, and to do it in a way that is unknown."""
    if name == DEFAULT_NAME:
        raise invalid(f"The '{DEFAULT_NAME}' workspace is reserved and cannot be deleted")
    check_name(name)
    if mode not in MODES:
        raise invalid(f"Invalid deletion mode '{mode}'. Must be one of: {', '.join(MODES)}")


def insist_may_clear(rights: Rights, workspace: Workspace, mode: str) -> None:
    """Refuse a deletion by who may not do to all of its contents what the deletion does to them.

    RESTRICT counts as moving: what is made while it is under way moves.
    """
    if mode == "CASCADE":
        needed = [(name, workspace.workspace_id, workspace.name) for name in _ENDS]
    else:
        needed = [(name, workspace.workspace_id, workspace.name) for name in _LEAVES]
        needed += [(name, DEFAULT_ID, DEFAULT_NAME) for name in _ARRIVES]
    now = round(time.time() * 1000)
    lacking = [
        f"{name} on all of workspace '{place}'"
        for name, number, place in needed
        if not rights.holds_all(name, "workspace", number, until=now)
    ]
    if lacking:
        raise denied(
            f"You may not delete workspace '{workspace.name}' with mode={mode}, which"
            f" {'deletes' if mode == 'CASCADE' else 'moves'} what is in it: that takes"
            f" {', '.join(lacking)}, with nothing there denied to you. Ask an admin of the tenant."
        )


def check_description(description: str | None) -> None:
    """Refuse a description that is too long to keep."""
    if description is not None and len(description) > LONGEST_DESCRIPTION:
        raise invalid(
            f"'description' exceeds the maximum length of {LONGEST_DESCRIPTION} characters"
        )


def check_places(artifact_root: str | None, archive: tuple[str | None, str | None]) -> None:
    """Refuse places of the caller's choice: files lie where the platform keeps them."""
    if artifact_root and artifact_root.strip():
        raise invalid(
            "default_artifact_root cannot be specified: this server keeps artifacts where it does."
        )
    if any(part and part.strip() for part in archive):
        raise invalid("trace_archival_config cannot be specified: this server archives no traces.")


def insist_room(tenant: Tenant, workspaces: int) -> None:
    """Refuse one more workspace where the plan's number is reached."""
    most = tenant.limits.workspaces if tenant.limits is not None else 0
    if most and workspaces >= most:
        raise denied(
            f"The plan {tenant.plan!r} holds {most} workspaces, 'default' and those being deleted"
            f" among them, and there are {workspaces}. Delete some, or ask the platform's operator"
            " for another plan."
        )


def still_holds(name: str, contents: Contents) -> Refusal:
    """A workspace that must be empty is not."""
    return Refusal(
        "INVALID_STATE",
        f"Cannot delete workspace '{name}': table '{contents.kind}' still contains"
        f" {contents.count} resource(s). Remove or reassign them before deleting the workspace.",
        status=_INVALID_STATE,
    )


def clashes(name: str, held: list[Contents]) -> Refusal:
    """Resources cannot move to the default workspace under their names."""
    lines = "\n".join(f"  - {part.kind}: {clash!r}" for part in held for clash in part.clashes)
    return Refusal(
        "INVALID_STATE",
        f"Cannot reassign resources from workspace '{name}' to '{DEFAULT_NAME}': the following"
        f" names already exist in the default workspace and would cause conflicts:\n{lines}\n"
        "Rename or remove the conflicting resources before retrying.",
        status=_INVALID_STATE,
    )
