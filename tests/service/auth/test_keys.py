"""Signing keys: published without their private half, replaced without a refused request."""

from typing import Any

import asyncpg
import jwt
import msgspec

from libs.common.http.calling import call
from libs.common.principal import Verifier
from services.auth.commands.keys import PUBLISHED_BEFORE_SECONDS, replace_old_key
from services.auth.model.signing import thumbprint
from services.auth.settings import Settings
from services.auth.state import State
from tests.service.auth.installation import Auth


async def key_set(auth: Auth) -> list[dict[str, Any]]:
    """The published keys."""
    reply = await call(auth.app, "GET", "/.well-known/jwks.json")
    assert reply.status == 200
    found: list[dict[str, Any]] = msgspec.json.decode(reply.body)["keys"]
    return found


async def signed_with(auth: Auth) -> str:
    """The id of the key that a fresh principal is signed with."""
    return str(jwt.get_unverified_header(await auth.principal(auth.first_token))["kid"])


async def test_the_published_key_is_named_by_its_thumbprint_and_has_no_private_half(
    auth: Auth,
) -> None:
    (key,) = await key_set(auth)
    assert key.keys() == {"kty", "crv", "x", "kid", "use", "alg"}
    raw = jwt.utils.base64url_decode(key["x"])
    assert key["kid"] == thumbprint(raw) == await signed_with(auth)


async def test_the_private_half_is_sealed_in_the_database(auth: Auth) -> None:
    state: State = auth.running.state
    private = (await state.keys.signing()).private.private_bytes_raw()
    for row in await auth.running.database.fetch("SELECT * FROM signing_keys"):
        assert private not in row["sealed_private"]


async def test_a_new_key_is_published_before_it_signs_and_the_old_one_after(auth: Auth) -> None:
    state: State = auth.running.state
    settings: Settings = auth.running.settings
    old = await signed_with(auth)
    by_old = await auth.principal(auth.first_token, "tracking")
    assert not await replace_old_key(auth.running.database, settings.encryption_key(), days=30)
    await age_keys(auth, days=31)
    assert await replace_old_key(auth.running.database, settings.encryption_key(), days=30)
    await state.keys.read()
    published = [key["kid"] for key in await key_set(auth)]
    assert len(published) == 2
    assert await signed_with(auth) == old
    # The next look finds the new key young and adds no other.
    assert not await replace_old_key(auth.running.database, settings.encryption_key(), days=30)

    await age_keys(auth, seconds=PUBLISHED_BEFORE_SECONDS + 1)
    await state.keys.read()
    new = await signed_with(auth)
    assert new != old
    assert {key["kid"] for key in await key_set(auth)} == {old, new}
    verifier = Verifier("tracking", state.keys.key_set)
    for token in (by_old, await auth.principal(auth.first_token, "tracking")):
        assert (await verifier.verify(token)).audience == "tracking"

    await age_keys(auth, days=1)
    await state.keys.read()
    assert [key["kid"] for key in await key_set(auth)] == [new]


async def age_keys(auth: Auth, *, days: int = 0, seconds: int = 0) -> None:
    """Let the stored keys grow older by that much."""
    connection = await asyncpg.connect(auth.environment["MAESTRO_POSTGRES_URL"])
    try:
        await connection.execute("SET ROLE auth_owner")
        await connection.execute(
            """
            UPDATE auth.signing_keys
            SET activates_at = activates_at - make_interval(days => $1, secs => $2),
                retires_at = retires_at - make_interval(days => $1, secs => $2)
            """,
            days,
            float(seconds),
        )
    finally:
        await connection.close()
