"""Artifacts in S3 from the user's seat: the unmodified client uploads in parts, and downloads from S3."""

from pathlib import Path

import aiohttp

from libs.embedded import Parts
from tests.deployments import deployed
from tests.object_servers import S3
from tests.system.test_journey import run, with_token
from tests.system.test_parts import LARGE, PARTS


async def test_a_large_file_goes_to_s3_in_parts_and_comes_from_it(
    fresh_parts: Parts, s3: S3, tmp_path: Path
) -> None:
    environment = {**fresh_parts.environment, **s3.settings}
    async with deployed(environment, tmp_path / "logs") as deployment:
        await run(PARTS, "12", login={**with_token(deployment), **LARGE}, folder=tmp_path)
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{deployment.url}/metrics") as reply,
        ):
            metrics = await reply.text()
    # Both downloads were of the store's own, and no byte of them came through the gateway.
    routes = [line for line in metrics.splitlines() if line.startswith("maestro_http_requests_t")]
    assert [line for line in routes if 'route="presign_artifact"' in line and " 2.0" in line]
    assert not [line for line in routes if 'route="download_artifact"' in line]
    whole = (tmp_path / "big.bin").stat().st_size
    assert [(s3.folder / key).stat().st_size for key in s3.objects()].count(whole) == 1
