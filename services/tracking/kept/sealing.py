"""Seals what runs show for Redis, which neither learns it nor could put something else in its place.

AES-256-GCM under a key derived from the service's own secret (HKDF, RFC 5869), so that all processes
of tracking open what one has sealed. A value is bound to its name and to the stamp it was read
under: it cannot stand for another tenant's, another run's or another moment's.
"""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.tracking.kept.memory import Shown

_LABEL: Final = b"maestro what runs show v1"
_NONCE_BYTES: Final = 12
_LENGTH_BYTES: Final = 4


class RunSeal:
    """Seals and opens; `secret` is the service's own."""

    def __init__(self, secret: str) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_LABEL).derive(secret.encode())
        self._cipher = AESGCM(key)

    def seal(self, name: bytes, stamp: bytes, shown: Shown) -> bytes:
        """What a run shows, as Redis may hold it."""
        nonce = os.urandom(_NONCE_BYTES)
        # Mostly both are the same bytes, which then stand there once.
        listed = b"" if shown.listed is shown.whole else shown.listed
        plain = len(shown.whole).to_bytes(_LENGTH_BYTES) + shown.whole + listed
        return nonce + self._cipher.encrypt(nonce, plain, name + stamp)

    def open(self, name: bytes, stamp: bytes, value: bytes) -> Shown | None:
        """What was sealed under that name and stamp; None where it was not."""
        nonce, sealed = value[:_NONCE_BYTES], value[_NONCE_BYTES:]
        try:
            plain = self._cipher.decrypt(nonce, sealed, name + stamp)
        except (InvalidTag, ValueError):
            return None
        end = _LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES])
        whole, listed = plain[_LENGTH_BYTES:end], plain[end:]
        return Shown(whole, listed or whole)
