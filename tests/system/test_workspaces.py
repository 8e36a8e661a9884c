"""Workspaces from the user's seat: an unmodified mlflow client, in one process and in several."""

from pathlib import Path

from libs.embedded import Parts
from tests.deployments import Deployment
from tests.system.test_journey import a_name, run, with_token

WORKING = Path(__file__).parent / "journey_workspaces.py"


async def test_a_team_works_in_its_workspace_and_deletes_it(
    deployment: Deployment, fresh_parts: Parts, tmp_path: Path
) -> None:
    said = await run(WORKING, a_name(), login=with_token(deployment), folder=tmp_path)
    run_id = said.split()[-1]
    # What was moved lies where its new workspace's files lie, and nowhere else.
    store = Path(fresh_parts.environment["TRACKING_ARTIFACT_STORE"].removeprefix("file://"))
    (note,) = [file for file in store.rglob("note.txt") if run_id in file.parts]
    tenant, workspace = note.relative_to(store).parts[1:3]
    assert (len(tenant), workspace) == (36, "1")
