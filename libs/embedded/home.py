"""The data folder: who holds it, which layout it has, and the secrets kept in it."""

import base64
import fcntl
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from libs.embedded.errors import Problem

# Raised when a newer release lays out the folder so that an older one must not touch it.
LAYOUT = 1


class Home:
    """One platform's folder; everything in it is readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """Where each part and the services write what they have to say."""
        return self.path / "logs"

    @property
    def first_token(self) -> Path:
        """The file into which auth writes the token made at the very first start."""
        return self.path / "secrets" / "first-token"

    @property
    def operator_token(self) -> Path:
        """The file into which auth writes the token of the platform's operator."""
        return self.path / "secrets" / "operator-token"

    @property
    def used(self) -> bool:
        """Whether a platform was ever started here."""
        return (self.path / "version").exists()

    def open(self) -> None:
        """Make the folder where needed and hold it; raises Problem when that must not be."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self._hold()
        except OSError as error:
            raise Problem(
                f"{self.path} cannot be used as the data folder: {error.strerror}. "
                "Name another with MAESTRO_HOME=…"
            ) from error
        try:
            self._check_version()
        except Problem:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _hold(self) -> None:
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode().strip() or "unknown"
            os.close(lock)
            raise Problem(
                f"A platform already runs on {self.path} (process {holder}). Stop that one, or "
                "start another beside it with MAESTRO_HOME=… naming another folder."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def _check_version(self) -> None:
        file = self.path / "version"
        if not file.exists():
            write_private(file, f"{LAYOUT}\n")
            return
        text = file.read_text(encoding="utf-8").strip()
        if not text.isdecimal():
            raise Problem(f"{file} should hold the number of the folder's layout, not {text!r}.")
        if int(text) > LAYOUT:
            raise Problem(
                f"{self.path} was written by a newer version of Maestro ML (layout {text}; this "
                f"one knows {LAYOUT}). Start that version, or name another folder with "
                "MAESTRO_HOME=…"
            )

    def secret(self, name: str, size: int = 24) -> str:
        """The secret kept under `name`, made on first use: `size` random bytes, URL-safe base64.

        24 bytes fill their 32 letters, so that a password has no padding to be escaped anywhere.
        """
        file = self.path / "secrets" / name
        if file.exists():
            return file.read_text(encoding="utf-8").strip()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        value = base64.urlsafe_b64encode(secrets.token_bytes(size)).decode()
        write_private(file, value + "\n")
        return value


def write_private(file: Path, text: str) -> None:
    """Replace `file` whole or not at all, readable by its owner alone."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)


def default_home(env: Mapping[str, str]) -> Path:
    """`MAESTRO_HOME`, or `.maestro` in the user's own folder."""
    given = env.get("MAESTRO_HOME")
    return Path(given).expanduser() if given else Path.home() / ".maestro"
