"""A training is never stopped: stock clients at five times their limit see no exception."""

from pathlib import Path

import pytest

from libs.embedded import Parts
from tests.deployments import deployed
from tests.load.flood import PLAN, flood, put_on_plan

SECONDS = 20
# So short that most of what is over the limit is refused and comes back to its place.
DELAY_SECONDS = 0.5


@pytest.mark.slow
async def test_eight_clients_at_five_times_their_limit_lose_nothing(
    fresh_parts: Parts, tmp_path: Path
) -> None:
    given = {**fresh_parts.environment, "GATEWAY_DELAY_SECONDS": str(DELAY_SECONDS)}
    async with deployed(given, tmp_path) as deployment:
        await put_on_plan(fresh_parts, PLAN)
        found = await flood(deployment, tmp_path, SECONDS, DELAY_SECONDS)
    assert found.problems == []
    assert found.stored == found.logged
    assert found.delayed > 0
    assert found.refused > 0
