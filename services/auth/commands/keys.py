"""Signing keys are made once, and replaced when they have had their time."""

from typing import Final

from libs.common.database import Connection, Database
from services.auth.model.signing import new_signing_key, seal
from services.auth.store.identity import (
    add_signing_key,
    drop_retired_keys,
    lock_once,
    needs_signing_key,
)

# Every verifier and every auth process has read a new key long before it signs, and an old one
# stays published far longer than the principals it signed live.
PUBLISHED_BEFORE_SECONDS: Final = 300
PUBLISHED_AFTER_SECONDS: Final = 3600


async def ensure_signing_key(connection: Connection, encryption_key: bytes) -> None:
    """Make the first signing key, in the caller's transaction, unless there is one."""
    absent, _ = await needs_signing_key(connection, 0)
    if absent:
        await _add(connection, encryption_key, in_seconds=0)


async def replace_old_key(database: Database, encryption_key: bytes, *, days: int) -> bool:
    """Add a key when the youngest is older than `days`, and forget retired ones; whether it did.

    A silent write: keys are read from the published set, and no fact tells of them.
    """
    async with database.transaction() as connection:
        await lock_once(connection)
        await drop_retired_keys(connection)
        _, old = await needs_signing_key(connection, days)
        if old:
            await _add(connection, encryption_key, in_seconds=PUBLISHED_BEFORE_SECONDS)
        return old


async def _add(connection: Connection, encryption_key: bytes, *, in_seconds: int) -> None:
    key = new_signing_key()
    await add_signing_key(
        connection,
        key,
        seal(key, encryption_key),
        in_seconds=in_seconds,
        overlap_seconds=PUBLISHED_AFTER_SECONDS,
    )
