"""Rules in the words of MLflow's own permissions, which its web pages gate their buttons by."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from libs.common.contracts.auth import AccessRule

# The first of these that a rule holds names the level, the highest first.
_LEVELS: Final = {
    "experiment": (
        ("MANAGE", "experiment.manage"),
        ("EDIT", "run.log"),
        ("READ", "experiment.read"),
    ),
    "registered_model": (
        ("MANAGE", "model.manage"),
        ("EDIT", "model.write"),
        ("READ", "model.read"),
    ),
    "workspace": (("MANAGE", "workspace.manage"), ("USE", "workspace.read")),
}
_TYPES: Final = {
    "tenant": ("workspace", "experiment", "registered_model"),
    "workspace": ("workspace", "experiment", "registered_model"),
    "experiment": ("experiment",),
    "model": ("registered_model",),
}
FIRST_WORKSPACE_NAME: Final = "default"


class PermissionRow(msgspec.Struct, frozen=True):
    """What a role permits on resources of a type, as MLflow lists it.

    `resource_pattern` is a name or prefix of ours, where MLflow has the id of an experiment.
    """

    role_id: int
    role_name: str
    workspace: str
    resource_type: str
    resource_pattern: str
    permission: str


def permission_rows(rules: Iterable[AccessRule]) -> list[PermissionRow]:
    """Each rule as rows, one for each type of resource that it says something about."""
    return [row for number, rule in enumerate(rules, 1) for row in _rows(number, rule)]


def _rows(number: int, rule: AccessRule) -> Iterator[PermissionRow]:
    workspace = "*" if rule.kind == "tenant" else _workspace(rule.workspace_id)
    for of in _TYPES[rule.kind]:
        level = next((level for level, name in _LEVELS[of] if name in rule.permissions), None)
        if level is not None:
            yield PermissionRow(
                role_id=number,
                role_name=rule.because,
                workspace=workspace,
                resource_type=of,
                resource_pattern=rule.pattern,
                permission="DENY" if rule.effect == "deny" else level,
            )


def _workspace(workspace_id: int) -> str:
    return FIRST_WORKSPACE_NAME if workspace_id == 1 else str(workspace_id)
