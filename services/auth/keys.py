"""The key ring of this process: which key signs now, and which are published."""

import asyncio
import time
from typing import Any, Final

from libs.common.database import Database
from services.auth.model.signing import PublishedKey, SigningKey, unseal
from services.auth.queries.credentials import published_keys

# A new key is published for longer than this before it signs (commands/keys.py), so every
# process has read it by then.
_FRESH_SECONDS: Final = 30.0


class KeyRing:
    """The stored signing keys, read again every half minute; opens only the one that signs."""

    def __init__(self, database: Database, encryption_key: bytes) -> None:
        self._database = database
        self._encryption_key = encryption_key
        self._signing: SigningKey | None = None
        self._published: tuple[PublishedKey, ...] = ()
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def signing(self) -> SigningKey:
        """The key to sign with now."""
        await self._refresh()
        if self._signing is None:
            raise LookupError("auth has no signing key: its first start has not happened")
        return self._signing

    async def key_set(self) -> dict[str, Any]:
        """The published keys as a JWK set (RFC 7517)."""
        await self._refresh()
        return {"keys": [key.jwk() for key in self._published]}

    async def read(self) -> None:
        """Read the stored keys now; raises KeyEncryptionKeyRefused when they do not open."""
        rows = await published_keys(self._database)
        self._published = tuple(
            PublishedKey(row.kid, row.public_key, row.retires_at) for row in rows
        )
        active = next((row for row in rows if row.active), None)
        if active is not None and (self._signing is None or self._signing.kid != active.kid):
            self._signing = unseal(active.kid, active.sealed_private, self._encryption_key)
        self._read_at = time.monotonic()

    async def _refresh(self) -> None:
        if time.monotonic() - self._read_at < _FRESH_SECONDS:
            return
        async with self._reading:
            if time.monotonic() - self._read_at >= _FRESH_SECONDS:
                await self.read()
