"""Signing keys: named by the RFC's thumbprint, sealed so that only the right key opens them."""

import base64
import os

import pytest

from services.auth.model.signing import (
    KeyEncryptionKeyRefused,
    PublishedKey,
    key_encryption_key,
    new_signing_key,
    seal,
    thumbprint,
    unseal,
)

KEY = os.urandom(32)


def test_the_thumbprint_is_that_of_the_rfc() -> None:
    """RFC 8037, appendix A.3."""
    public = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert PublishedKey("x", public, None).jwk() == {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "x",
        "use": "sig",
        "alg": "EdDSA",
    }


def test_a_sealed_key_opens_with_its_own_key_alone() -> None:
    key = new_signing_key()
    sealed = seal(key, KEY)
    assert key.private.private_bytes_raw() not in sealed
    assert unseal(key.kid, sealed, KEY).public_bytes() == key.public_bytes()
    for kid, text, encryption_key in (
        (key.kid, sealed, os.urandom(32)),
        (new_signing_key().kid, sealed, KEY),
        (key.kid, sealed[:-1] + bytes([sealed[-1] ^ 1]), KEY),
        (key.kid, sealed[:20], KEY),
        (key.kid, b"", KEY),
    ):
        with pytest.raises(KeyEncryptionKeyRefused):
            unseal(kid, text, encryption_key)


def test_the_same_key_is_never_sealed_alike() -> None:
    key = new_signing_key()
    assert len({seal(key, KEY) for _ in range(100)}) == 100


def test_the_key_encryption_key_is_read_from_either_base64() -> None:
    raw = bytes(range(224, 256))
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert key_encryption_key(encode(raw).decode()) == raw
        assert key_encryption_key(encode(raw).decode().rstrip("=") + "\n") == raw


@pytest.mark.parametrize("text", ["", "short", "A" * 42, "A" * 44, "é" * 43, "!" * 43])
def test_a_malformed_key_encryption_key_is_refused(text: str) -> None:
    with pytest.raises(KeyEncryptionKeyRefused, match="AUTH_KEY_ENCRYPTION_KEY"):
        key_encryption_key(text)
