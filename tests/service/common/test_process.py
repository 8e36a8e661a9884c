"""A process that may not serve says why in one line and ends with 1."""

import asyncio
import os
import sys
from collections.abc import Mapping

import pytest

from services import service
from tests.serving import prepared


async def refused(env: Mapping[str, str]) -> str:
    """What tracking says on standard error while it refuses to serve."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.tracking"),
        env={"PATH": os.defpath, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 1
    return said.decode()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"TRACKING_DATABASE_URL": ""}, "Set TRACKING_DATABASE_URL"),
        ({"TRACKING_POOL_SIZE": "many"}, "TRACKING_POOL_SIZE is malformed"),
        (
            {"MAESTRO_FAILPOINTS": "write.before-commit=1", "MAESTRO_IMAGE": "production"},
            "MAESTRO_FAILPOINTS is refused in a production image",
        ),
        (
            {"TRACKING_DATABASE_URL": "the administrator's"},
            "give the service the role tracking_app",
        ),
    ],
)
async def test_it_refuses_with_one_line(
    changes: dict[str, str], expected: str, platform_environment: dict[str, str]
) -> None:
    await prepared([service("tracking")], platform_environment)
    env = {**platform_environment, **changes}
    if env["TRACKING_DATABASE_URL"] == "the administrator's":
        env["TRACKING_DATABASE_URL"] = env["MAESTRO_POSTGRES_URL"]
    said = await refused(env)
    assert said.startswith("maestro: ")
    assert expected in said
    assert len(said.splitlines()) == 1
