"""The permissions, as data: each with the kind of resource it is about and what it lets one do."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Kind = Literal["tenant", "workspace", "experiment", "model"]


class Permission(NamedTuple):
    """`kind` is the resource that is named when the permission is asked for or granted."""

    name: str
    kind: Kind
    does: str


_ALL: Final = (
    Permission("experiment.read", "experiment", "see an experiment and search among them"),
    Permission("experiment.create", "experiment", "make experiments, which one then owns"),
    Permission("experiment.update", "experiment", "set and remove tags of an experiment"),
    Permission("experiment.delete", "experiment", "put an experiment aside and bring it back"),
    Permission("experiment.manage", "experiment", "rename an experiment and give it to others"),
    Permission("run.read", "experiment", "see runs with their params, metrics and tags"),
    Permission("run.create", "experiment", "start runs"),
    Permission("run.log", "experiment", "log metrics, params, tags, inputs and outputs"),
    Permission("run.update", "experiment", "change a run's status, name and end"),
    Permission("run.delete", "experiment", "put runs aside and bring them back"),
    Permission("artifact.read", "experiment", "list and download artifacts"),
    Permission("artifact.write", "experiment", "upload artifacts"),
    Permission("artifact.delete", "experiment", "remove artifacts"),
    Permission("logged-model.read", "experiment", "see logged models"),
    Permission("logged-model.create", "experiment", "make logged models"),
    Permission("logged-model.update", "experiment", "finalize and tag logged models"),
    Permission("logged-model.delete", "experiment", "put logged models aside"),
    Permission("model.read", "model", "see registered models, versions and their files"),
    Permission("model.register", "model", "register models, which one then owns, and versions"),
    Permission("model.write", "model", "describe and tag models and versions"),
    Permission("model.delete", "model", "delete models and versions"),
    Permission("model.transition", "model", "move versions between stages"),
    Permission("model.alias", "model", "set and remove aliases"),
    Permission("model.manage", "model", "rename a model and give it to others"),
    Permission("workspace.read", "workspace", "see a workspace and work in it"),
    Permission("workspace.create", "tenant", "make workspaces"),
    Permission("workspace.manage", "workspace", "describe and delete a workspace"),
    Permission("token.own", "tenant", "make, list, rotate and end one's own tokens"),
    Permission("token.manage", "tenant", "list and end everybody's tokens; run service accounts"),
    Permission("member.read", "tenant", "see who is a member"),
    Permission("member.manage", "tenant", "invite, suspend and remove members, give them roles"),
    Permission("role.manage", "tenant", "define custom roles"),
    Permission("grant.manage", "tenant", "grant and deny on resources, and explain access"),
    Permission("audit.read", "tenant", "read the audit trail"),
    Permission("tenant.manage", "tenant", "rename the tenant and make owners"),
)

PERMISSIONS: Final[Mapping[str, Permission]] = MappingProxyType({p.name: p for p in _ALL})
# What a permission's name is as one bit, so that sets of them are integers.
BIT: Final[Mapping[str, int]] = MappingProxyType({p.name: 1 << i for i, p in enumerate(_ALL)})
# Which permission lets one see a resource of that kind at all.
READ_OF: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "experiment": "experiment.read",
        "model": "model.read",
        "workspace": "workspace.read",
        "tenant": "member.read",
    }
)


def mask(names: Iterable[str]) -> int:
    """The names as bits; a name that this release does not know gives nothing."""
    found = 0
    for name in names:
        found |= BIT.get(name, 0)
    return found


def named(bits: int) -> list[str]:
    """The names behind bits, in the order of the table."""
    return [name for name, bit in BIT.items() if bits & bit]
