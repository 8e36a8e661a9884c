"""Secrets that are left in a file for whoever runs the platform."""

import os
from pathlib import Path
from uuid import uuid4

from libs.common.settings import SettingsError


class SecretUnwritable(SettingsError):
    """There is nowhere to leave a secret; the message names the variable."""


def write_secret(path: Path, secret: str, variable: str) -> None:
    """Put a secret into a file that only its owner reads, whole or not at all, and durably."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as problem:
        raise SecretUnwritable(
            f"{variable}: {path} cannot be written: {problem.strerror}"
        ) from problem
