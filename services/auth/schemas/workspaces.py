"""MLflow's messages about workspaces."""

import msgspec

from services.auth.model.workspaces import Workspace


class TraceArchival(msgspec.Struct, frozen=True):
    """Where traces would be archived; nothing but absent or empty is accepted."""

    location: str | None = None
    retention: str | None = None


class NewWorkspace(msgspec.Struct, frozen=True):
    """What a workspace is made with."""

    name: str | None = None
    description: str | None = None
    default_artifact_root: str | None = None
    trace_archival_config: TraceArchival | None = None


class ChangedWorkspace(msgspec.Struct, frozen=True):
    """What is changed of a workspace; what is absent stays."""

    description: str | None = None
    default_artifact_root: str | None = None
    trace_archival_config: TraceArchival | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        archive = self.trace_archival_config or TraceArchival()
        given = (
            self.description,
            self.default_artifact_root,
            archive.location,
            archive.retention,
        )
        return all(part is None for part in given)


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A workspace as MLflow answers it."""

    name: str
    description: str | None = None


class WorkspaceAnswer(msgspec.Struct, frozen=True):
    """One workspace."""

    workspace: Shown


class WorkspacesAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """All workspaces that the caller may enter."""

    workspaces: list[Shown] = []


def shown(workspace: Workspace) -> Shown:
    """A workspace for an answer."""
    return Shown(workspace.name, workspace.description)
