"""A child process that ends with us: started, watched, stopped and killed by name."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from libs.embedded.errors import Problem

LAUNCH = Path(__file__).with_name("launch.py")
POLL_SECONDS = 0.02
# A log past this size is put aside at the next start, one generation back.
LARGEST_LOG_BYTES = 10 * 1024 * 1024


def package_folder(name: str) -> Path:
    """The folder of an installed package, which is not imported; raises Problem without it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise Problem(f"The package {name} is not installed; `make up` installs it.")
    return Path(spec.origin).parent


def through_launcher(command: Sequence[str], account: str | None = None) -> list[str]:
    """The command line that starts `command` bound to this process, as `account` if given."""
    return [sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), account or "-", *command]


class Process:
    """One child, its log file, and the signal that ends it politely."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        polite: signal.Signals = signal.SIGTERM,
        account: str | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._environment = dict(environment)
        self._polite = polite
        self._account = account
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def status(self) -> int | None:
        """The exit status once it has ended; negative for a signal."""
        return None if self._child is None else self._child.poll()

    def spawn(self) -> None:
        """Start it; only from the main thread, for the kernel binds its life to the thread."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(f"{self.name} must be started from the main thread")
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self._make_room_in_log()
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                through_launcher(self._command, self._account),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                # Ctrl-C in the terminal is ours to hear and to pass on in the right order.
                start_new_session=True,
            )

    def _make_room_in_log(self) -> None:
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LARGEST_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))

    async def until(self, ready: Callable[[], Awaitable[bool]], within: float) -> None:
        """Wait for `ready`; raises Problem with the last log lines when it ends or takes long."""
        deadline = time.monotonic() + within
        while not await ready():
            if not self.running:
                raise Problem(f"{self.name} ended with status {self.status}.\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise Problem(
                    f"{self.name} was not ready within {within:.0f} s.\n{self.last_words()}"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def ended(self) -> int:
        """Wait until it has ended; gives the exit status."""
        while self.running:
            await asyncio.sleep(POLL_SECONDS)
        return self.status or 0

    async def stop(self, within: float = 15.0) -> None:
        """Ask it to end, and after `within` seconds make it."""
        if self._child is None or not self.running:
            return
        self._child.send_signal(self._polite)
        try:
            await asyncio.wait_for(self.ended(), within)
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would."""
        if self._child is not None and self.running:
            self._child.kill()
            self._child.wait()

    def last_words(self, lines: int = 15) -> str:
        """The end of its log, with the log's place."""
        if not self.log.exists():
            return f"  (nothing in {self.log})"
        text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        return "\n".join([f"  The end of {self.log}:", *(f"  | {line}" for line in text)])
