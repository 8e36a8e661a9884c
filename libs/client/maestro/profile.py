"""What `maestro login` keeps: addresses and tokens, in a file that only its owner reads."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from maestro.connection import Connection


def file_of(env: Mapping[str, str]) -> Path:
    """Where credentials lie: below XDG_CONFIG_HOME, or `~/.config`."""
    home = Path(env.get("HOME") or Path.home())
    return Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "maestro" / "credentials.json"


def kept(path: Path) -> dict[str, dict[str, str]]:
    """Address and token by profile; nothing where there is no file."""
    try:
        found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return found


def keep(path: Path, profile: str, connection: Connection) -> None:
    """Put a profile into the file, which nobody else can read at any time."""
    profiles = kept(path) | {profile: {"url": connection.url, "token": connection.token}}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(profiles, file, indent=1)
    draft.replace(path)


def drop(path: Path, profile: str) -> bool:
    """Take a profile out of the file; whether it was there."""
    profiles = kept(path)
    if profiles.pop(profile, None) is None:
        return False
    path.unlink()
    for name, given in profiles.items():
        keep(path, name, Connection(given["url"], given["token"]))
    return True
