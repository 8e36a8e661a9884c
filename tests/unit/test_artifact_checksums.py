"""Checksums in headers: each spelling is understood, and a body that differs ends in a refusal."""

import base64
import hashlib
from collections.abc import AsyncIterator

import pytest

from libs.common.errors import Refusal
from services.tracking.artifacts.checksums import Claims, Measured, claims_of
from services.tracking.model.contents import Content

BODY = b"some bytes"
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
SHA512 = base64.b64encode(hashlib.sha512(BODY).digest()).decode()
MD5 = base64.b64encode(hashlib.md5(BODY, usedforsecurity=False).digest()).decode()


async def chunks() -> AsyncIterator[bytes]:
    yield BODY[:3]
    yield BODY[3:]


async def measured(claims: Claims) -> Content:
    body = Measured(chunks(), claims)
    assert b"".join([chunk async for chunk in body.checked()]) == BODY
    return body.content()


SPELLINGS = {
    "content-digest": f"sha-256=:{SHA256}:",
    "repr-digest": f"sha-512=:{SHA512}:, sha-256=:{SHA256}:",
    "digest": f"SHA-256={SHA256},md5={MD5}",
    "content-md5": MD5,
    "x-amz-checksum-sha256": SHA256,
}


@pytest.mark.parametrize("header", SPELLINGS)
async def test_a_right_checksum_passes_and_a_wrong_one_does_not(header: str) -> None:
    said = SPELLINGS[header]
    claims = claims_of({header: said})
    assert claims
    assert await measured(claims) == Content(hashlib.sha256(BODY).digest(), len(BODY))
    for algorithm, checksum in claims.items():
        with pytest.raises(Refusal, match=rf"{algorithm} .*nothing was stored") as caught:
            await measured({**claims, algorithm: bytes([checksum[0] ^ 1]) + checksum[1:]})
        assert caught.value.status == 400


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-digest": ""},
        {"content-digest": "unixsum=:AAAA:"},
        {"digest": "crc32c=AAAA"},
    ],
)
async def test_nothing_is_claimed_where_nothing_is_known(headers: dict[str, str]) -> None:
    assert claims_of(headers) == {}
    assert (await measured({})).sha256 == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("content-digest", SHA256),
        ("content-digest", f"sha-256={SHA256}"),
        ("content-digest", "sha-256=:AAAA:"),
        ("repr-digest", "sha-256=:====:"),
        ("digest", "sha-256"),
        ("digest", f"sha-256={SHA256[:-4]}"),
        ("content-md5", SHA256),
        ("content-md5", "\u00fc"),
        ("x-amz-checksum-sha256", hashlib.sha256(BODY).hexdigest()),
    ],
)
def test_what_is_no_checksum_is_refused(header: str, said: str) -> None:
    with pytest.raises(Refusal, match=header) as caught:
        claims_of({header: said})
    assert caught.value.status == 400


def test_two_headers_must_not_contradict_each_other() -> None:
    other = base64.b64encode(bytes(32)).decode()
    with pytest.raises(Refusal, match="different sha-256"):
        claims_of({"x-amz-checksum-sha256": SHA256, "content-digest": f"sha-256=:{other}:"})
