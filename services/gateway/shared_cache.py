"""The second level of the principals' cache: Redis, which is told nothing it could use.

An entry's name is a digest of the credential and the workspace, its value is sealed (AES-256-GCM) under a key
derived from the credential (HKDF, RFC 5869): whoever reads Redis learns no principal, and whoever
writes there cannot invent one. What a password opens is not kept there: a password can be guessed,
and the name and the seal would tell a guess that is right, fast. Without Redis, or with a slow one, everything works the same.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from redis.exceptions import RedisError

from libs.common.telemetry.logs import logger
from services.gateway.credentials import Presented
from services.gateway.exchange import Passport

ANSWER_SECONDS: Final = 0.05
REST_SECONDS: Final = 5.0
_MOST_WRITING: Final = 100
_NAME_LABEL: Final = b"maestro shared principal name v1\x00"
_SEAL_LABEL: Final = b"maestro shared principal seal v1"
_NONCE_BYTES: Final = 12
_log = logger(__name__)


class Store(Protocol):
    """The two commands that are asked of Redis."""

    def get(self, name: str) -> Any: ...
    def set(self, name: str, value: bytes, *, px: int) -> Any: ...


class SharedCache:
    """Passports that other gateways have fetched; `store` is None where there is no Redis.

    `audiences` are the services a passport must be good for; one of an older gateway may lack some.
    """

    def __init__(
        self,
        store: Store | None,
        audiences: Iterable[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._audiences = frozenset(audiences)
        self._clock = clock
        self._resting_until = 0.0
        self._writing: set[asyncio.Task[None]] = set()

    async def read(self, presented: Presented) -> Passport | None:
        """What is stored for a token and still usable; None in every other case."""
        if presented.user is not None:
            return None
        name = entry_name(presented)
        value = await self._asked(lambda store: store.get(name))
        passport = open_sealed(presented, value) if isinstance(value, bytes) else None
        if passport is None or passport.expires_at <= self._clock():
            return None
        return passport if self._audiences <= passport.principals.keys() else None

    def write(self, presented: Presented, passport: Passport) -> None:
        """Store a passport for as long as it may be used; nobody waits for it."""
        left = int((passport.expires_at - self._clock()) * 1000)
        if self._store is None or presented.user is not None or left <= 0:
            return
        if len(self._writing) >= _MOST_WRITING:
            return
        task = asyncio.create_task(self._write(presented, passport, left))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """End what is still being written."""
        for task in self._writing:
            task.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _write(self, presented: Presented, passport: Passport, left: int) -> None:
        name, value = entry_name(presented), seal(presented, passport)
        await self._asked(lambda store: store.set(name, value, px=left))

    async def _asked(self, ask: Callable[[Store], Any]) -> object:
        """The store's answer, or None where it is absent, resting, slow or broken."""
        if self._store is None or time.monotonic() < self._resting_until:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer: object = await ask(self._store)
                return answer
        except (RedisError, OSError, TimeoutError) as problem:
            self._resting_until = time.monotonic() + REST_SECONDS
            _log.warning("redis_rests", seconds=REST_SECONDS, error=repr(problem))
            return None


def entry_name(presented: Presented) -> str:
    """The name a credential's entry has in Redis."""
    return "gateway:passport:" + hashlib.sha256(_NAME_LABEL + presented.bound()).hexdigest()


def seal(presented: Presented, passport: Passport) -> bytes:
    """A passport that only the holder of the credential can open."""
    nonce = os.urandom(_NONCE_BYTES)
    plain = msgspec.msgpack.encode(passport)
    return nonce + _cipher(presented).encrypt(nonce, plain, entry_name(presented).encode())


def open_sealed(presented: Presented, value: bytes) -> Passport | None:
    """The passport again; None where the value is not what `seal` made for this credential."""
    nonce, ciphertext = value[:_NONCE_BYTES], value[_NONCE_BYTES:]
    try:
        plain = _cipher(presented).decrypt(nonce, ciphertext, entry_name(presented).encode())
        return msgspec.msgpack.decode(plain, type=Passport)
    except (InvalidTag, ValueError, msgspec.DecodeError):
        return None


def _cipher(presented: Presented) -> AESGCM:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=_SEAL_LABEL)
    return AESGCM(derivation.derive(presented.bound()))
