"""Signing keys: Ed25519 pairs, named by their thumbprint and sealed at rest.

Formats: JWK for Ed25519 (RFC 8037), thumbprint as key id (RFC 7638), AES-256-GCM (NIST SP
800-38D) with a fresh 96-bit nonce before each ciphertext and the key id as associated data, so
that sealed keys cannot be swapped between rows.
"""

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
_LABEL: Final = b"maestro signing key "


class KeyEncryptionKeyRefused(Exception):
    """The key encryption key is malformed, or is not the one the stored keys were sealed with."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair that signs principals; `kid` is what a JWS header names it by."""

    kid: str
    private: Ed25519PrivateKey

    def public_bytes(self) -> bytes:
        """The public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """The public half of a key that principals may still be signed with."""

    kid: str
    public_key: bytes
    retires_at: datetime | None

    def jwk(self) -> dict[str, str]:
        """The key as it stands in the published set."""
        return {**_members(self.public_key), "kid": self.kid, "use": "sig", "alg": "EdDSA"}


def new_signing_key() -> SigningKey:
    """A fresh pair, named by its thumbprint."""
    private = Ed25519PrivateKey.generate()
    return SigningKey(thumbprint(private.public_key().public_bytes_raw()), private)


def thumbprint(public_key: bytes) -> str:
    """The JWK thumbprint of an Ed25519 public key (RFC 7638, members as RFC 8037 A.3)."""
    canonical = json.dumps(_members(public_key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode("ascii")).digest())


def key_encryption_key(text: str) -> bytes:
    """Read a 256-bit key from base64 or base64url text; raises KeyEncryptionKeyRefused."""
    padded = text.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise KeyEncryptionKeyRefused("AUTH_KEY_ENCRYPTION_KEY must be 32 bytes in base64.")
    return key


def seal(key: SigningKey, encryption_key: bytes) -> bytes:
    """The private half, encrypted for storing."""
    nonce = os.urandom(_NONCE_BYTES)
    plain = key.private.private_bytes_raw()
    return nonce + AESGCM(encryption_key).encrypt(nonce, plain, _LABEL + key.kid.encode())


def unseal(kid: str, sealed: bytes, encryption_key: bytes) -> SigningKey:
    """The stored pair again; raises KeyEncryptionKeyRefused when it does not open."""
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        plain = AESGCM(encryption_key).decrypt(nonce, ciphertext, _LABEL + kid.encode())
    except (InvalidTag, ValueError):
        raise KeyEncryptionKeyRefused(
            "AUTH_KEY_ENCRYPTION_KEY is not the key that the stored signing keys were sealed with."
        ) from None
    return SigningKey(kid, Ed25519PrivateKey.from_private_bytes(plain))


def _members(public_key: bytes) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public_key)}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
