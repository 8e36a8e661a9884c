"""A principal is believed only when auth signed it, for this service, for now."""

import asyncio
import time
import uuid
from typing import Any

import jwt
import msgspec
import pytest
from jwt.algorithms import OKPAlgorithm

from libs.common.errors import Refusal
from libs.common.principal import LEEWAY_SECONDS, Verifier
from tests.signing import Signer, Tenant
from tests.waiting import eventually

TENANT = Tenant(12)


class Published:
    """Auth's published keys, and how often they were asked for."""

    def __init__(self, *signers: Signer) -> None:
        self.signers = list(signers)
        self.asked = 0
        self.failure: Exception | None = None

    async def fetch(self) -> dict[str, Any]:
        """The key set as auth publishes it."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return {
            "keys": [
                OKPAlgorithm.to_jwk(signer.key.public_key(), as_dict=True)
                | {"kid": signer.kid, "alg": "EdDSA", "use": "sig"}
                for signer in self.signers
            ]
        }


def verifier_of(signer: Signer, audience: str = "tracking") -> Verifier:
    """A verifier that knows the keys of `signer`."""
    return Verifier(audience, Published(signer).fetch)


async def refusal_of(verifier: Verifier, raw: str | None) -> Refusal:
    """The refusal that `raw` meets, which it must."""
    try:
        found = await verifier.verify(raw)
    except Refusal as refusal:
        return refusal
    raise AssertionError(f"{found.subject} was believed")


async def test_a_signed_principal_is_read() -> None:
    signer = Signer()
    raw = signer.principal(TENANT, "tracking", workspace_id=4, scope="read write", pep=9)
    found = await verifier_of(signer).verify(raw)
    assert (found.tenant, found.tenant_no, found.workspace_id) == (TENANT.id, 12, 4)
    assert (found.subject, found.actor, found.scopes) == ("tester", "token-1", ("read", "write"))
    assert (found.epoch, found.token) == (9, raw)


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - LEEWAY_SECONDS - 5},
        # Valid in a year: this list is made when tests are collected, minutes before they run.
        {"nbf": int(time.time()) + 365 * 24 * 3600},
        {"iss": "somebody"},
        {"aud": "registry"},
        {"aud": ["tracking", "registry"]},
        {"tno": "many"},
        {"ws": None},
        {"exp": None},
        {"nbf": None},
        {"aud": None},
        {"sub": None},
        {"pep": None},
    ],
    ids=lambda claims: next(
        name if isinstance(value, int) else f"{name}={value}" for name, value in claims.items()
    )[:20],
)
async def test_wrong_or_absent_claims_are_refused(claims: dict[str, Any]) -> None:
    signer = Signer()
    refusal = await refusal_of(verifier_of(signer), signer.principal(TENANT, "tracking", **claims))
    assert refusal.status == 401


async def test_none_and_foreign_algorithms_are_refused() -> None:
    signer = Signer()
    claims = jwt.decode(signer.principal(TENANT, "tracking"), options={"verify_signature": False})
    public = signer.key.public_key().public_bytes_raw()
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": signer.kid})
    by_public_key = jwt.encode(claims, public, algorithm="HS256", headers={"kid": signer.kid})
    for raw in (unsigned, by_public_key):
        assert (await refusal_of(verifier_of(signer), raw)).status == 401


async def test_another_key_under_a_known_id_is_refused() -> None:
    signer, stranger = Signer(), Signer()
    assert (
        await refusal_of(verifier_of(signer), stranger.principal(TENANT, "tracking"))
    ).status == 401


@pytest.mark.parametrize("raw", [None, "", ".", "a.b.c", "ä", "\x00", "e30.e30.", "x" * 100_000])
async def test_what_is_no_token_is_refused(raw: str | None) -> None:
    assert (await refusal_of(verifier_of(Signer()), raw)).status == 401


async def test_a_verified_principal_still_expires() -> None:
    signer = Signer()
    verifier = verifier_of(signer)
    raw = signer.principal(TENANT, "tracking", exp=int(time.time()) - LEEWAY_SECONDS + 1)
    await verifier.verify(raw)
    refusal = await eventually(lambda: refusal_of(verifier, raw))
    assert refusal.status == 401


async def test_keys_are_asked_for_once_and_a_principal_is_verified_once() -> None:
    signer = Signer()
    published = Published(signer)
    verifier = Verifier("tracking", published.fetch)
    raws = [signer.principal(TENANT, "tracking", jti=uuid.uuid4().hex) for _ in range(20)]
    await asyncio.gather(*(verifier.verify(raw) for raw in raws * 5))
    assert published.asked == 1
    assert await verifier.verify(raws[0]) is await verifier.verify(raws[0])


async def test_a_flood_of_unknown_keys_asks_for_the_keys_once_a_second() -> None:
    signer, strangers = Signer(), [Signer(f"unknown-{n}") for n in range(50)]
    published = Published(signer)
    verifier = Verifier("tracking", published.fetch)
    await verifier.verify(signer.principal(TENANT, "tracking"))
    before = time.monotonic()
    refusals = await asyncio.gather(
        *(refusal_of(verifier, one.principal(TENANT, "tracking")) for one in strangers)
    )
    assert {refusal.status for refusal in refusals} == {401}
    assert published.asked <= 2 + (time.monotonic() - before)


async def test_a_new_key_is_found_after_a_rotation() -> None:
    signer, successor = Signer(), Signer("next")
    published = Published(signer)
    verifier = Verifier("tracking", published.fetch)
    await verifier.verify(signer.principal(TENANT, "tracking"))
    published.signers = [signer, successor]
    verifier._asked_at -= 2  # a second has passed since the keys were read
    assert await verifier.verify(successor.principal(TENANT, "tracking"))
    assert published.asked == 2


@pytest.mark.parametrize(
    "failure", [ConnectionRefusedError(), TimeoutError(), msgspec.DecodeError("no JSON")]
)
async def test_with_auth_away_callers_hear_so_and_do_not_queue_up(failure: Exception) -> None:
    signer = Signer()
    published = Published(signer)
    published.failure = failure
    verifier = Verifier("tracking", published.fetch)
    raws = [signer.principal(TENANT, "tracking", jti=uuid.uuid4().hex) for _ in range(30)]
    refusals = await asyncio.gather(*(refusal_of(verifier, raw) for raw in raws))
    assert {(refusal.status, refusal.retry_after) for refusal in refusals} == {(503, 1)}
    assert published.asked <= 2


async def test_those_who_were_verified_go_on_with_auth_away() -> None:
    signer = Signer()
    published = Published(signer)
    verifier = Verifier("tracking", published.fetch)
    raw = signer.principal(TENANT, "tracking")
    await verifier.verify(raw)
    published.failure = ConnectionRefusedError()
    assert (await verifier.verify(raw)).subject == "tester"
    assert (await verifier.verify(signer.principal(TENANT, "tracking", jti="new"))).subject
