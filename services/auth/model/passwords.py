"""Passwords at rest: argon2id, with what RFC 9106 recommends where memory is scarce."""

from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

_HASHER: Final = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def hash_password(password: str) -> str:
    """What a password is stored as; takes tens of milliseconds, so call it in a thread."""
    return _HASHER.hash(password)


def verify(password: str, password_hash: str) -> bool:
    """Whether a password is the one that was stored; as slow as storing it."""
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
