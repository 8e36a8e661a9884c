"""Workspaces as every service knows them: the default one, their names, and what they may hold.

A workspace's number is short and inside, its name is what people say; the rules of names and the
words of refusals are MLflow's.
"""

import re
from typing import Final

import msgspec

from libs.common.errors import Refusal, invalid, missing

DEFAULT_ID: Final = 1
DEFAULT_NAME: Final = "default"
# Where a service tells what it holds in the workspace that its caller's principal names.
CONTENTS_PATH: Final = "/internal/workspace-contents"
MOST_CLASHES: Final = 20

_PATTERN: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_NAME: Final = re.compile(_PATTERN.replace("$", r"\Z"))
_LENGTHS: Final = range(2, 64)
_RESERVED: Final = frozenset({"workspaces", "api", "ajax-api", "static-files"})


class Contents(msgspec.Struct, frozen=True):
    """How many resources of a `kind` a workspace holds.

    `clashes` are the first of their names that the default workspace has as well.
    """

    kind: str
    count: int
    clashes: list[str] = []


def check_name(name: str) -> None:
    """Refuse a name that no workspace can have."""
    if name == DEFAULT_NAME:
        return
    if len(name) not in _LENGTHS:
        raise invalid(
            f"Workspace name '{name}' must be between {_LENGTHS.start} and {_LENGTHS.stop - 1}"
            " characters."
        )
    if not _NAME.match(name):
        raise invalid(
            f"Workspace name '{name}' must match the pattern {_PATTERN} (lowercase alphanumeric"
            " with optional internal hyphens)."
        )
    if name in _RESERVED:
        raise invalid(f"Workspace name '{name}' is reserved and cannot be used.")


def no_workspace(name: str) -> Refusal:
    """No such workspace, or none that the caller may enter: both read the same."""
    return missing(f"Workspace '{name}' not found")
