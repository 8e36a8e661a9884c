"""Token forgery: nothing that auth did not issue for this service and this moment is accepted."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from services.auth.model.secrets import new_secret
from services.auth.state import State
from tests.security.forgeries import Forger, Forgery, is_sound
from tests.service.auth.installation import PRINCIPAL, Auth, fresh_database, started
from tests.service.gateway.front import Front, opened

TOKENS = "/api/maestro/v1/tokens"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def auth(
    platform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Auth]:
    """A running auth, on a database of its own."""
    folder: Path = tmp_path_factory.mktemp("forgery")
    async with (
        fresh_database(platform_environment, folder) as environment,
        started(environment) as found,
    ):
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def front(auth: Auth) -> AsyncIterator[Front]:
    """The gateway over it."""
    async with opened(auth) as found:
        yield found


async def forger(auth: Auth, audience: str) -> Forger:
    """Somebody with a valid principal for `audience`."""
    state: State = auth.running.state
    valid = await auth.principal(auth.first_token, audience)
    key = (await state.keys.signing()).private
    assert is_sound(valid, key)
    return Forger(valid, key)


def said(accepted: list[Any], tried: int) -> str:
    """What to print when something got through."""
    return f"{len(accepted)} of {tried} forgeries accepted: {accepted}"


async def test_no_forged_principal_is_accepted_by_a_service(auth: Auth) -> None:
    attacker = await forger(auth, "auth")
    assert (await auth.ask_as(attacker.valid, "GET", TOKENS)).status == 200
    forgeries: list[Forgery] = list(attacker.all())
    accepted = []
    for name, token in forgeries:
        reply = await auth.ask_as(token, "GET", TOKENS)
        if reply.status != 401:
            accepted.append((name, reply.status))
    assert not accepted, said(accepted, len(forgeries))
    assert len(forgeries) > 170
    assert (await auth.ask_as(attacker.valid, "GET", TOKENS)).status == 200


async def test_no_forged_principal_is_exchanged(auth: Auth) -> None:
    attacker = await forger(auth, "registry")
    exchanged = await auth.exchange(attacker.valid, "tracking", kind=PRINCIPAL, client="registry")
    assert exchanged.status == 200
    accepted = []
    for name, token in attacker.all():
        if len(token) > 10_000:
            continue
        reply = await auth.exchange(token, "tracking", kind=PRINCIPAL, client="registry")
        if reply.status != 400:
            accepted.append((name, reply.status))
    assert not accepted, said(accepted, len(list(attacker.all())))


async def test_no_principal_passes_for_a_credential_at_the_gateway(front: Front) -> None:
    """Not a forged one and not a real one: to the gateway it is no token, and a wrong password."""
    for audience in ("auth", "tracking", "registry"):
        valid = await front.auth.principal(front.auth.first_token, audience)
        attacker = await forger(front.auth, audience)
        few = list(attacker.without_signature()) + list(attacker.altered())
        for name, token in [("valid", valid), *few]:
            password = base64.b64encode(f"user:{token}".encode()).decode()
            for header, statuses in ((f"Bearer {token}", {401}), (f"Basic {password}", {401, 429})):
                reply = await front.ask(headers=[("authorization", header)])
                assert reply.status in statuses, (name, header[:6])
    assert front.tracking.callers == []


async def test_no_forged_principal_changes_whom_the_gateway_speaks_for(front: Front) -> None:
    own = await front.ask(token=front.auth.first_token)
    attacker = await forger(front.auth, "tracking")
    for name, token in attacker.all():
        if len(token) > 10_000:
            continue
        for header in ("x-maestro-principal", "x_maestro_principal"):
            forged = [(header, token)]
            assert (await front.ask(headers=forged)).status == 401, name
            reply = await front.ask(token=front.auth.first_token, headers=forged)
            assert (reply.status, reply.body) == (200, own.body), name


def bent_secrets(secret: str) -> list[str]:
    """Tokens that are nearly one."""
    swapped = [
        secret[:place] + ("a" if secret[place] != "a" else "b") + secret[place + 1 :]
        for place in range(len(secret))
    ]
    return [
        *swapped,
        *(secret[:length] for length in range(len(secret))),
        secret + "a",
        secret + "\n",
        " " + secret,
        secret.swapcase(),
        secret.upper(),
        secret[4:],
        "gho_" + secret[4:],
        "mst-" + secret[4:],
        "MST_" + secret[4:],
        secret + secret,
        secret[:-6] + "000000",
        secret[:-6],
        secret.replace("_", "%5F"),
        secret + "\x00",
        "mst_" + "\u0661" * 36,
        "*",
        "%",
        "' OR '1'='1",
        '{"$ne": null}',
    ]


async def test_no_bent_secret_is_exchanged(auth: Auth) -> None:
    tried = bent_secrets(auth.first_token)
    accepted = [bent for bent in tried if (await auth.exchange(bent, "tracking")).status == 200]
    assert not accepted, said(accepted, len(tried))


async def test_no_invented_secret_is_exchanged(auth: Auth) -> None:
    """Well formed, checksum and all, and not issued."""
    tried = [new_secret() for _ in range(500)]
    accepted = [one for one in tried if (await auth.exchange(one, "tracking")).status == 200]
    assert not accepted, said(accepted, len(tried))


async def test_a_bent_secret_asks_the_database_nothing(
    auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    async def noted(*arguments: object) -> None:
        asked.append(arguments)

    monkeypatch.setattr("services.auth.commands.exchange.whose_digest", noted)
    for bent in bent_secrets(auth.first_token):
        await auth.exchange(bent, "tracking")
    assert asked == []
    await auth.exchange(new_secret(), "tracking")
    assert len(asked) == 1
