"""Revocation on two gateways as processes: within its bounds, and what is open is cut."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from libs.embedded import Parts
from tests.load.revocation import BOUNDS, over_a_restart
from tests.load.revoking import KINDS, Scene, scene
from tests.waiting import eventually

CUT_SECONDS = 2.0
PIECE = b"x" * 65536
LARGE = 48 * 2**20


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def revoking(
    breakable: Parts, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    """Everything as processes, behind two gateways."""
    logs = tmp_path_factory.mktemp("revocation")
    async with scene(breakable.environment, logs) as found:
        yield found


@pytest.mark.parametrize("kind", KINDS)
async def test_no_gateway_answers_the_revoked_for_a_second(revoking: Scene, kind: str) -> None:
    for _ in range(3):
        assert (await revoking.trial(kind)).seconds < BOUNDS["up"]


async def test_while_kafka_restarts_the_feed_bounds_it(breakable: Parts, revoking: Scene) -> None:
    assert breakable.kafka is not None
    trials = await over_a_restart(revoking, breakable.kafka)
    assert len(trials) >= len(KINDS)
    assert max(trial.seconds for trial in trials) < BOUNDS["restarting"]
    assert (await revoking.trial("token")).seconds < BOUNDS["up"], "as before"


async def artifacts_of_a_run(revoking: Scene) -> str:
    """The URL below the second gateway where a new run's artifacts lie."""
    async with revoking.session.post(
        f"{revoking.urls[0]}/api/2.0/mlflow/runs/create",
        headers=login(revoking.deployment.token),
        json={"experiment_id": "0", "start_time": 1},
    ) as reply:
        made = await reply.json()
    path = made["run"]["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    return f"{revoking.urls[1]}/api/2.0/mlflow-artifacts/artifacts/{path}"


def login(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


async def test_an_upload_of_the_revoked_is_cut_and_nothing_of_it_is_stored(
    breakable: Parts, revoking: Scene
) -> None:
    url = await artifacts_of_a_run(revoking)
    token_id, secret = await revoking.new_token()
    stored, sent = breakable.home.path / "artifacts", asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for number in range(10**9):
            yield PIECE
            if number == 40:
                sent.set()
            await asyncio.sleep(0.001)

    async def upload() -> int:
        try:
            async with revoking.session.put(
                f"{url}/cut.bin", headers=login(secret), data=endless()
            ) as reply:
                return reply.status
        except aiohttp.ClientError:  # the connection was closed while we sent
            return 0

    uploading = asyncio.create_task(upload())
    await sent.wait()
    await eventually(lambda: list(stored.rglob("*#*")), within=20)
    await revoking.revoke_token(token_id)
    assert await asyncio.wait_for(uploading, CUT_SECONDS) in (0, 401)
    await eventually(lambda: _nothing(stored, "*#*"), within=10)


def _nothing(folder: Path, pattern: str) -> bool:
    return not list(folder.rglob(pattern))


async def test_a_download_of_the_revoked_is_cut(revoking: Scene) -> None:
    url = f"{await artifacts_of_a_run(revoking)}/large.bin"
    own = login(revoking.deployment.token)
    async with revoking.session.put(url, headers=own, data=io.BytesIO(b"x" * LARGE)) as reply:
        assert reply.status == 200
    token_id, secret = await revoking.new_token()
    async with revoking.session.get(url, headers=login(secret)) as reply:
        assert (reply.status, reply.content_length) == (200, LARGE)
        await reply.content.read(2**20)
        await revoking.revoke_token(token_id)
        # Read on only when the second gateway knows, else all of it might be through before.
        await eventually(lambda: _refused(revoking, secret), within=5)
        with pytest.raises(aiohttp.ClientPayloadError):
            await reply.content.read()


async def _refused(revoking: Scene, secret: str) -> bool:
    url = f"{revoking.urls[1]}/api/2.0/mlflow/experiments/get?experiment_id=0"
    return await revoking.status(url, secret) == 401
