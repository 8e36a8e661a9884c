"""The main job from the user's seat: an unmodified mlflow client, an address and a token."""

import asyncio
import importlib.util
import os
import sys
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest_asyncio
from httpx import AsyncClient

from libs.embedded import Parts
from libs.embedded.up import LOOK, PREDICT, TRAIN
from tests.deployments import Deployment
from tests.service.common.letters import letters
from tests.service.tracking.producing import DEAD
from tests.waiting import eventually

HERE = Path(__file__).parent
TRAINING = HERE / "journey_train.py"
TOGETHER = HERE / "journey_together.py"
PRODUCER = HERE.parents[1] / "examples" / "ingest_producer.py"
UNHEARD = HERE / "journey_unheard.py"
# Enough to pass through in pieces; a longer look is taken with 200.
ARTIFACT_MEGABYTES = os.environ.get("MAESTRO_TEST_ARTIFACT_MB", "20")
POINTS_EACH = "100"
PATIENCE_SECONDS = 300


def with_token(deployment: Deployment) -> dict[str, str]:
    """The two variables that `make env` prints."""
    return {
        "MLFLOW_TRACKING_URI": deployment.url,
        "MLFLOW_TRACKING_TOKEN": deployment.token,
    }


def with_password(deployment: Deployment) -> dict[str, str]:
    """What a client that knows only user and password sends: any user, the token as password."""
    return {
        "MLFLOW_TRACKING_URI": deployment.url,
        "MLFLOW_TRACKING_USERNAME": "somebody",
        "MLFLOW_TRACKING_PASSWORD": deployment.token,
    }


async def run(script: Path, *words: str, login: Mapping[str, str], folder: Path) -> str:
    """Run a client's script in an empty home; what it printed, once it has ended well."""
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        # A test asks nobody outside this machine.
        "MLFLOW_DISABLE_TELEMETRY": "true",
        **login,
    }
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), *words),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complained = await asyncio.wait_for(child.communicate(), PATIENCE_SECONDS)
    finally:
        if child.returncode is None:
            child.kill()
    assert child.returncode == 0, complained.decode(errors="replace")[-4000:]
    return said.decode()


def a_name() -> str:
    """A model's name that no other test has."""
    return f"journey-{uuid.uuid4().hex[:8]}"


async def test_a_run_goes_all_the_way_through(deployment: Deployment, tmp_path: Path) -> None:
    login = with_token(deployment)
    said = await run(TRAINING, a_name(), ARTIFACT_MEGABYTES, login=login, folder=tmp_path)
    assert '"versions": [1, 2]' in said


async def test_eight_processes_log_to_one_run(deployment: Deployment, tmp_path: Path) -> None:
    login = with_token(deployment)
    said = await run(TOGETHER, a_name(), POINTS_EACH, login=login, folder=tmp_path)
    assert said.splitlines()[-1].startswith("800 points")


async def test_a_producer_of_events_publishes_its_run_until_its_token_is_revoked(
    deployment: Deployment, tmp_path: Path
) -> None:
    spec = importlib.util.spec_from_file_location("ingest_producer", PRODUCER)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    said = await run(
        PRODUCER,
        *("--steps", "2500"),
        login=with_token(deployment),
        folder=tmp_path,
    )
    run_id = said.strip()
    async with AsyncClient(base_url=deployment.url, timeout=30) as owner:
        owner.headers["authorization"] = f"Bearer {deployment.token}"
        await eventually(lambda: ended(owner, run_id), within=30)
        made = await owner.post("/api/maestro/v1/tokens", json={"name": "t", "scopes": ["run.*"]})
        assert made.status_code == 201, made.text
        token = made.json()
        async with example.Producer(deployment.url, token["token"]) as producer:
            await producer.publish(run_id, tags={"before": "1"})
            await eventually(lambda: tagged(owner, run_id, "before"), within=30)
            gone = await owner.delete(f"/api/maestro/v1/tokens/{token['id']}")
            assert gone.status_code < 300, gone.text
            event_id = str(uuid.uuid4())

            async def refused() -> bool:
                # Once auth's word of it has come; before that a message may pass.
                nonlocal event_id
                event_id = str(uuid.uuid4())
                await producer.publish(run_id, event_id=event_id, tags={"after": "1"})
                return any(
                    letter.headers["ce_id"] == event_id.encode() and "revoked" in letter.reason
                    for letter in await letters(deployment.environment, DEAD)
                )

            await eventually(refused, within=30, pause=0.5)


async def ended(owner: AsyncClient, run_id: str) -> bool:
    """Whether the run has all that the example publishes."""
    answer = await owner.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id})
    run = answer.json()["run"]
    (loss,) = run["data"]["metrics"]
    return bool(run["info"]["status"] == "FINISHED" and loss["step"] == 2499)


async def tagged(owner: AsyncClient, run_id: str, key: str) -> bool:
    """Whether the run has a tag."""
    answer = await owner.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id})
    return key in {tag["key"] for tag in answer.json()["run"]["data"]["tags"]}


async def test_the_quick_start_does_what_it_says_for_a_client_with_a_password(
    deployment: Deployment, tmp_path: Path
) -> None:
    login = with_password(deployment)
    file = tmp_path / "line.py"
    said = []
    for line in (TRAIN, PREDICT, LOOK):
        file.write_text(line, encoding="utf-8")
        said.append(await run(file, login=login, folder=tmp_path))
    assert said[1].strip() == "[0 0 0 0 0]"
    assert "training_accuracy_score" in said[2]


@pytest_asyncio.fixture(loop_scope="session")
async def without_kafka(fresh_parts: Parts) -> AsyncIterator[Parts]:
    """The broker is gone while inside, so that no service hears of another's facts."""
    assert fresh_parts.kafka is not None
    await fresh_parts.kafka.stop()
    yield fresh_parts
    if not fresh_parts.pids.get("Apache Kafka"):
        await fresh_parts.kafka.start()


async def test_models_are_registered_while_the_registry_hears_nothing(
    deployment: Deployment, without_kafka: Parts, tmp_path: Path
) -> None:
    login = with_token(deployment)
    name = a_name()
    await run(UNHEARD, "register", name, login=login, folder=tmp_path)
    assert without_kafka.kafka is not None
    await without_kafka.kafka.start()
    await run(UNHEARD, "heard", name, login=login, folder=tmp_path)
