"""A service's connections: transactions that belong to one tenant, and a pool that recovers."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from opentelemetry.trace import SpanKind

from libs.common.database.world import WORLD_ERRORS, is_world
from libs.common.errors import invalid, unavailable
from libs.common.telemetry.tracing import Tracing

ACQUIRE_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 30.0


class Connection:
    """A borrowed connection; each statement is a span when traces are on."""

    def __init__(self, raw: Any, tracing: Tracing) -> None:
        self._raw = raw
        self._tracing = tracing

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """All rows."""
        with self._span(sql):
            rows: list[asyncpg.Record] = await self._raw.fetch(sql, *args)
            return rows

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """The first row, None when there is none."""
        with self._span(sql):
            row: asyncpg.Record | None = await self._raw.fetchrow(sql, *args)
            return row

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first row's first column, None when there is no row."""
        with self._span(sql):
            return await self._raw.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Run a statement; its command tag."""
        with self._span(sql):
            tag: str = await self._raw.execute(sql, *args)
            return tag

    async def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement once a row, in one round trip."""
        with self._span(sql):
            await self._raw.executemany(sql, rows)

    def _span(self, sql: str) -> Any:
        return self._tracing.span(
            _verb(sql),
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.text": sql.strip()},
        )


class Database:
    """One service's pool. Nothing is sent before the first use, so it opens with PostgreSQL away."""

    def __init__(self, pool: asyncpg.Pool, tracing: Tracing) -> None:
        self._pool = pool
        # The pool itself lets newcomers pass those who wait, some of them for a long time.
        self._turns = asyncio.Semaphore(pool.get_max_size())
        self._tracing = tracing

    @asynccontextmanager
    async def transaction(self, tenant_no: int | None = None) -> AsyncIterator[Connection]:
        """A transaction that sees and writes `tenant_no` only; without one, no tenant's rows.

        Commits at the end of the block, rolls back when it raises. A refusal 503 comes out where
        PostgreSQL cannot be reached or drops the connection.
        """
        async with self._acquired() as raw:
            # Who is cancelled at BEGIN or COMMIT must not leave the pool a transaction either.
            try:
                await raw.execute(_begin("BEGIN", tenant_no))
                yield Connection(raw, self._tracing)
                done = await raw.execute("COMMIT")
            except BaseException:
                await _roll_back(raw)
                raise
            if done != "COMMIT":
                raise RuntimeError("a failed statement was swallowed: the transaction rolled back")

    @asynccontextmanager
    async def reading(self, tenant_no: int | None = None) -> AsyncIterator[Connection]:
        """A read-only transaction with one snapshot for all its statements."""
        async with self._acquired() as raw:
            try:
                begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                await raw.execute(_begin(begin, tenant_no))
                yield Connection(raw, self._tracing)
            finally:
                await _roll_back(raw)

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """All rows of one statement in autocommit, without a tenant."""
        async with self._acquired() as raw:
            return await Connection(raw, self._tracing).fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """The first row of one statement in autocommit, without a tenant."""
        async with self._acquired() as raw:
            return await Connection(raw, self._tracing).fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        """The first value of one statement in autocommit, without a tenant."""
        async with self._acquired() as raw:
            return await Connection(raw, self._tracing).fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """One statement in autocommit, without a tenant."""
        async with self._acquired() as raw:
            return await Connection(raw, self._tracing).execute(sql, *args)

    @asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Any]:
        try:
            async with asyncio.timeout(ACQUIRE_SECONDS):
                await self._turns.acquire()
            try:
                # Never waits but to connect, which has its own limit.
                async with self._pool.acquire() as raw:
                    yield raw
            finally:
                self._turns.release()
        except WORLD_ERRORS as problem:
            if not is_world(problem):
                raise invalid(f"A value does not fit: {problem}") from problem
            raise unavailable("The database is away or busy; try again.") from problem
        except asyncpg.DataError as problem:
            raise invalid(f"A value does not fit: {problem}") from problem


@asynccontextmanager
async def open_database(
    url: str, *, schema: str, size: int, tracing: Tracing
) -> AsyncIterator[Database]:
    """The pool of one service; `size` is the most connections it holds."""
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=size,
        max_inactive_connection_lifetime=60,
        command_timeout=STATEMENT_SECONDS,
        timeout=ACQUIRE_SECONDS,
        reset=_leave_as_is,
        server_settings={"search_path": schema, "application_name": f"maestro-{schema}"},
    )
    try:
        yield Database(pool, tracing)
    finally:
        try:
            await asyncio.wait_for(pool.close(), 5)
        except WORLD_ERRORS:
            pool.terminate()


async def _leave_as_is(_: Any) -> None:
    # Every setting we make is local to its transaction, so the default reset, one more round
    # trip a request, has nothing to undo.
    return


def _begin(begin: str, tenant_no: int | None) -> str:
    if tenant_no is None:
        return begin
    # One round trip for both; the simple protocol takes no parameters, and an int needs none.
    return f"{begin}; SELECT set_config('app.tenant', '{int(tenant_no)}', true)"


async def _roll_back(raw: Any) -> None:
    try:
        await asyncio.wait_for(asyncio.shield(raw.execute("ROLLBACK")), 5)
    except WORLD_ERRORS:
        raw.terminate()
    except asyncio.CancelledError:
        raw.terminate()
        raise


_VERB = re.compile(r"\s*(?:--[^\n]*\n\s*)*(\w+)")


def _verb(sql: str) -> str:
    found = _VERB.match(sql)
    return f"SQL {found.group(1).upper()}" if found else "SQL"
