"""Facts of auth about workspaces."""

from typing import Final, Literal

import msgspec

from libs.common.contracts.topic import Topic


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as it stands; `status` is `active`, `deleting` or `deleted`.

    `workspace_id` is its short number in other services' tables, and is never given again.
    """

    workspace_id: int
    name: str
    status: str
    description: str = ""


class WorkspaceCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace came to be."""

    version: int
    workspace: Workspace


class WorkspaceChanged(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace was described anew, or is wholly gone: all that it held has moved or is away."""

    version: int
    workspace: Workspace


class WorkspaceDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace is being deleted, and nobody enters it any more.

    `mode` says what becomes of what it holds: `CASCADE` puts it away, `SET_DEFAULT` moves it to
    the default workspace, `RESTRICT` found nothing.
    """

    version: int
    workspace: Workspace
    mode: Literal["RESTRICT", "SET_DEFAULT", "CASCADE"]


class WorkspaceSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace as it stands, told again on request."""

    version: int
    workspace: Workspace


def _workspace_key(fact: WorkspaceCreated) -> str:
    return str(fact.workspace.workspace_id)


WORKSPACES: Final = Topic(
    "auth.workspace.v1",
    {
        "created": WorkspaceCreated,
        "changed": WorkspaceChanged,
        "deleted": WorkspaceDeleted,
        "snapshot": WorkspaceSnapshot,
    },
    _workspace_key,
)
