"""The first start leaves one tenant, one owner and one usable token, whatever happens in between."""

import asyncio
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import msgspec
import pytest

from libs.common.contracts.topic import Topic
from libs.common.database.pool import Database, open_database
from libs.common.settings import SettingsError, load
from libs.common.telemetry.tracing import open_tracing
from services.auth.commands.first_start import begin_once
from services.auth.service import SERVICE
from services.auth.settings import Settings
from tests.service.auth.installation import fresh_database, started
from tests.service.auth.people import as_owner

COUNTS = """
SELECT (SELECT count(*) FROM auth.tenants) AS tenants, (SELECT count(*) FROM auth.users) AS users,
       (SELECT count(*) FROM auth.credentials) AS credentials,
       (SELECT count(*) FROM auth.operators) AS operators,
       (SELECT count(*) FROM auth.signing_keys) AS keys,
       (SELECT array_agg(type ORDER BY seq) FROM auth.outbox
        WHERE topic <> 'auth.heartbeat.v1') AS facts
"""


async def counted(environment: dict[str, str]) -> dict[str, object]:
    """How many of each there are, seen by the owner of the tables."""
    connection = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    try:
        await connection.execute("SET ROLE auth_owner")
        row = await connection.fetchrow(COUNTS)
    finally:
        await connection.close()
    assert row is not None
    return dict(row)


ONE_OF_EACH = {
    "tenants": 1,
    "users": 1,
    "credentials": 1,
    "operators": 1,
    "keys": 1,
    "facts": [
        "auth.tenant.created",
        "auth.user.created",
        "auth.token.issued",
        "auth.workspace.created",
    ],
}


async def test_leaves_one_usable_token_for_its_owner_alone(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with (
        fresh_database(platform_environment, tmp_path) as environment,
        started(environment, hears=False) as auth,
    ):
        file = Path(environment["AUTH_FIRST_TOKEN_FILE"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        operator = Path(environment["AUTH_OPERATOR_TOKEN_FILE"])
        assert stat.S_IMODE(operator.stat().st_mode) == 0o600
        assert {path.name for path in file.parent.iterdir()} == {file.name, operator.name}
        assert (await auth.exchange(auth.first_token, "tracking")).status == 200
        assert await counted(environment) == ONE_OF_EACH


@dataclass
class Beginner:
    """As much of a running auth as its first start needs."""

    database: Database
    name: str = "auth"
    topic_of: Mapping[type[msgspec.Struct], Topic] = field(
        default_factory=lambda: {fact: t for t in SERVICE.publishes for fact in t.facts.values()}
    )

    async def outdate(self, tenant_no: int, told: Mapping[str, Sequence[str]]) -> None:
        """Nothing is kept."""

    def wake_relay(self) -> None:
        """Nobody relays here."""


async def begin(environment: dict[str, str]) -> bool:
    """One process's part of the first start."""
    settings = load(Settings, "auth", environment)
    async with open_database(
        environment["AUTH_DATABASE_URL"],
        schema="auth",
        size=2,
        tracing=open_tracing("auth", {}),
    ) as database:
        return await begin_once(
            Beginner(database),
            settings.encryption_key(),
            settings.first_token_file,
            settings.operator_token_file,
        )


async def test_happens_once_however_many_processes_start(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with fresh_database(platform_environment, tmp_path) as environment:
        begun = await asyncio.gather(*(begin(environment) for _ in range(6)))
        assert sorted(begun) == [False] * 5 + [True]
        assert await counted(environment) == ONE_OF_EACH
        file = Path(environment["AUTH_FIRST_TOKEN_FILE"])
        token = file.read_text(encoding="ascii")
        assert await begin(environment) is False
        assert file.read_text(encoding="ascii") == token
        async with started(environment, hears=False) as auth:
            assert (await auth.exchange(auth.first_token, "tracking")).status == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", ["first-start.before-file", "first-start.before-commit", "first-start.after-commit"]
)
async def test_a_crash_in_between_leaves_what_the_next_start_makes_usable(
    platform_environment: dict[str, str], tmp_path: Path, point: str
) -> None:
    async with fresh_database(platform_environment, tmp_path) as environment:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.auth",
            env={**environment, "MAESTRO_FAILPOINTS": f"{point}=1", "AUTH_PORT": "0"},
            stderr=subprocess.DEVNULL,
        )
        try:
            assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL
        finally:
            if process.returncode is None:
                process.kill()
        async with started(environment, hears=False) as auth:
            assert (await auth.exchange(auth.first_token, "tracking")).status == 200
            assert await counted(environment) == ONE_OF_EACH


async def test_another_first_token_is_left_where_that_one_has_expired(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with fresh_database(platform_environment, tmp_path) as environment:
        file = Path(environment["AUTH_FIRST_TOKEN_FILE"])
        assert "has not begun" in await stepped(environment, 1)
        async with started(environment, hears=False) as auth:
            old = auth.first_token
            change = "UPDATE auth.tokens SET expires_at = now() - interval '1 day'"
            await as_owner(auth, 1, change)
            assert (await auth.exchange(old, "tracking")).status == 400
            said = await stepped(environment, 0)
            assert str(file) in said
            assert auth.first_token not in said
            assert auth.first_token != old
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert (await auth.exchange(auth.first_token, "tracking")).status == 200
            told = await as_owner(auth, 1, "SELECT count(*) FROM outbox WHERE type LIKE '%issued'")
            assert told == 2


async def stepped(environment: dict[str, str], status: int) -> str:
    """Run the step by hand; what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services", "first-token"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == status, said
    return b"".join(said).decode()


async def test_without_a_place_for_the_token_nothing_is_made(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with fresh_database(platform_environment, tmp_path) as environment:
        for place, reason in (
            ("", "Set AUTH_FIRST_TOKEN_FILE"),
            ("/proc/nowhere/first-token", "cannot be written"),
        ):
            with pytest.raises(SettingsError, match=reason):
                async with started({**environment, "AUTH_FIRST_TOKEN_FILE": place}, hears=False):
                    pass
        assert (await counted(environment))["tenants"] == 0


async def test_an_installation_from_before_operators_gets_one_at_its_next_start(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with fresh_database(platform_environment, tmp_path) as environment:
        without = {**environment, "AUTH_OPERATOR_TOKEN_FILE": ""}
        async with started(without, hears=False):
            assert (await counted(environment))["operators"] == 0
        async with started(environment, hears=False) as auth:
            token = auth.operator_token
            assert (await auth.exchange(token, "auth")).status == 200
        async with started(environment, hears=False) as auth:
            assert auth.operator_token == token
            assert (await auth.exchange(token, "auth")).status == 200
            assert (await counted(environment))["operators"] == 1


async def test_another_key_encryption_key_is_refused_at_the_start(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with fresh_database(platform_environment, tmp_path) as environment:
        async with started(environment, hears=False):
            pass
        other = {**environment, "AUTH_KEY_ENCRYPTION_KEY": "A" * 43 + "="}
        with pytest.raises(SettingsError, match="AUTH_KEY_ENCRYPTION_KEY is not the key"):
            async with started(other, hears=False):
                pass


async def test_the_tokens_are_nowhere_in_the_database(
    platform_environment: dict[str, str], tmp_path: Path
) -> None:
    async with fresh_database(platform_environment, tmp_path) as environment:
        async with started(environment, hears=False) as auth:
            secrets = (auth.first_token, auth.operator_token)
        connection = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
        try:
            await connection.execute("SET ROLE auth_owner")
            tables = await connection.fetch(
                "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = 'auth' AND c.relkind = 'r' AND NOT c.relrowsecurity"
            )
            assert len(tables) > 5
            for table in tables:
                rows = await connection.fetch(f"SELECT t::text AS row FROM auth.{table[0]} t")
                for secret in secrets:
                    assert not any(secret[4:] in row["row"] for row in rows), table[0]
        finally:
            await connection.close()
