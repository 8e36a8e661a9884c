"""Workspaces from the user's seat: an unmodified mlflow client, in one process and in several."""

from pathlib import Path

from tests.deployments import Deployment
from tests.system.test_journey import a_name, run, with_token

WORKING = Path(__file__).parent / "journey_workspaces.py"


async def test_a_team_works_in_its_workspace_and_deletes_it(
    deployment: Deployment, tmp_path: Path
) -> None:
    await run(WORKING, a_name(), login=with_token(deployment), folder=tmp_path)
