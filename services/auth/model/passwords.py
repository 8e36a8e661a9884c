"""Passwords: which are accepted, and argon2id over them (RFC 9106).

A hash takes 64 MiB and about a seventh of a second of a core, on purpose. Nothing but
`services/auth/passwords.py` calls it where requests are served, one at a time and in a thread.
"""

import re
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

SHORTEST: Final = 12
# Bytes in UTF-8, so that the longest fits into an Authorization header with a login.
LONGEST: Final = 1024
# A gateway takes a password that begins like this for a token.
_LIKE_A_TOKEN: Final = re.compile("ms[a-z]_")
_FEWEST_CHARACTERS: Final = 4
_COMMON: Final = frozenset(
    {
        "123456789012",
        "1234567890123",
        "12345678901234",
        "123456789012345",
        "1234567890abc",
        "1q2w3e4r5t6y",
        "1qaz2wsx3edc",
        "abcdefghijkl",
        "administrator",
        "administrator1",
        "changemechangeme",
        "changeme1234",
        "correcthorsebatterystaple",
        "iloveyou1234",
        "letmeinletmein",
        "maestromaestro",
        "maestropassword",
        "mlflowmlflow",
        "passw0rd1234",
        "password1234",
        "password12345",
        "password123456",
        "passwordpassword",
        "qwerty123456",
        "qwertyqwerty",
        "qwertyuiop123",
        "qwertyuiopas",
        "q1w2e3r4t5y6",
        "welcome12345",
        "welcomewelcome",
    }
)


class PasswordRefused(Exception):
    """A password that may not be chosen; the message says why."""


def insist_acceptable(password: str, login: str) -> None:
    """Raise PasswordRefused unless `password` may be chosen by the person of that login."""
    plain = _normal(password)
    if len(plain) < SHORTEST:
        raise PasswordRefused(f"it is shorter than {SHORTEST} characters")
    if len(plain.encode(errors="replace")) > LONGEST:
        raise PasswordRefused(f"it is longer than {LONGEST} bytes")
    if not plain.isprintable():
        raise PasswordRefused("it holds characters that cannot be typed")
    if _LIKE_A_TOKEN.match(plain):
        raise PasswordRefused("it begins like a token")
    folded = plain.casefold()
    if folded in (login.casefold(), login.partition("@")[0].casefold()):
        raise PasswordRefused("it is the login")
    if folded in _COMMON or len(set(folded)) < _FEWEST_CHARACTERS:
        raise PasswordRefused("it is among the first that are guessed")


def hash_password(password: str) -> str:
    """What a password is stored as: argon2id with a salt of its own, in the PHC text form."""
    return _hasher().hash(_normal(password))


def verify(password: str, stored: str) -> bool:
    """Whether `password` is the one that was stored; takes the time of a hash either way."""
    try:
        return _hasher().verify(stored, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _hasher() -> PasswordHasher:
    return PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def _normal(password: str) -> str:
    # What looks the same is typed differently on different keyboards (RFC 8265, 4.2.2).
    return unicodedata.normalize("NFC", password)
