"""The form of a secret: a prefix, 30 random base62 characters, and a checksum of 6.

`mst_` begins a member's token, `mso_` the platform operator's, `msi_` the code of an invitation,
`mss_` a session of the web pages, `msl_` a link to sign in there once.

The layout is the one GitHub introduced ("Behind GitHub's new authentication token formats",
April 2021): a prefix that secret scanners recognise, and a CRC32 in base62 that lets anybody tell
a mistyped or invented token from a real one without asking a database. 30 characters of base62
carry 178 bits, so that a plain SHA-256 is enough to store the token by: there is nothing to guess
that a slow hash would protect.
"""

import hashlib
import re
import secrets
import zlib
from typing import Final

PREFIX: Final = "mst_"
OPERATOR_PREFIX: Final = "mso_"
INVITATION_PREFIX: Final = "msi_"
SESSION_PREFIX: Final = "mss_"
LINK_PREFIX: Final = "msl_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_LENGTH: Final = 30
_CHECKSUM_LENGTH: Final = 6
_FORM: Final = re.compile(r"(ms[toisl]_[0-9A-Za-z]{30})([0-9A-Za-z]{6})", re.ASCII)


def new_secret(prefix: str = PREFIX) -> str:
    """A fresh secret, 40 characters long."""
    random = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"{prefix}{random}{checksum(prefix + random)}"


def checksum(text: str) -> str:
    """The CRC32 of a prefix and what follows it in base62, six characters, most significant first.

    The prefix is in it, so that one kind of secret is not mistyped into another.
    """
    rest = zlib.crc32(text.encode("ascii"))
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def is_well_formed(text: str) -> bool:
    """Whether `text` has the form of a secret and its checksum is right."""
    form = _FORM.fullmatch(text)
    return form is not None and checksum(form[1]) == form[2]


def digest(secret: str) -> bytes:
    """What a secret is stored and found by: its SHA-256, 32 bytes."""
    return hashlib.sha256(secret.encode("utf-8")).digest()
