"""Live events from the user's seat: through the gateway, in one process and in several."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.deployments import Deployment
from tests.waiting import eventually

CLIENT = Path(__file__).parents[2] / "libs/client"
OURS = "/api/maestro/v1"


@dataclass
class Heard:
    """What came of a stream, and when."""

    status: int
    blocks: list[str] = field(default_factory=list)
    ended: bool = False

    def of(self, event: str) -> list[Any]:
        """The data of the events of a name."""
        found = [block for block in self.blocks if block.startswith(f"event: {event}\n")]
        return [json.loads(block.partition("data: ")[2]) for block in found]

    @property
    def steps(self) -> list[int]:
        """The steps of the points that came."""
        return [point["step"] for data in self.of("metrics") for point in data["points"]]

    @property
    def last_id(self) -> str:
        """The id of the last event."""
        ids = [line[4:] for b in self.blocks for line in b.split("\n") if line.startswith("id: ")]
        return ids[-1]


@dataclass
class User:
    """Somebody with a token."""

    url: str
    token: str
    session: aiohttp.ClientSession

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """A request that succeeds; its answer."""
        async with self.session.request(
            method, self.url + path, json=body, headers=self.headers
        ) as reply:
            assert reply.ok, await reply.text()
            return await reply.json() if reply.content_type.endswith("json") else None

    @property
    def headers(self) -> dict[str, str]:
        """The credential."""
        return {"Authorization": f"Bearer {self.token}"}

    async def new_run(self, experiment_id: str = "0") -> str:
        """The id of a new run."""
        made = await self.ml("runs/create", experiment_id=experiment_id, start_time=1)
        run_id: str = made["run"]["info"]["run_id"]
        return run_id

    async def ml(self, path: str, **body: object) -> Any:
        """A POST of MLflow's API."""
        return await self.ask("POST", f"/api/2.0/mlflow/{path}", body)

    async def log(self, run_id: str, step: int) -> None:
        """Log a point."""
        await self.ml("runs/log-metric", run_id=run_id, key="m", value=1, timestamp=1, step=step)

    @asynccontextmanager
    async def listening(self, path: str, last: str = "") -> AsyncIterator[Heard]:
        """A stream, read as it comes."""
        headers = {**self.headers, **({"Last-Event-ID": last} if last else {})}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
        async with self.session.get(
            f"{self.url}{OURS}{path}/events", headers=headers, timeout=timeout
        ) as reply:
            heard = Heard(reply.status)
            reading = asyncio.create_task(_read(reply, heard))
            try:
                yield heard
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)


async def _read(reply: aiohttp.ClientResponse, heard: Heard) -> None:
    rest = ""
    # One that is broken off ends too.
    with suppress(aiohttp.ClientError):
        async for chunk in reply.content.iter_any():
            *blocks, rest = (rest + chunk.decode()).split("\n\n")
            heard.blocks += blocks
    heard.ended = True


@pytest.fixture
async def owner(deployment: Deployment) -> AsyncIterator[User]:
    """The first user."""
    async with aiohttp.ClientSession() as session:
        yield User(deployment.url, deployment.token, session)


async def account(owner: User, role: str | None) -> tuple[User, str, str]:
    """A service account's user, its login and its token's id."""
    name = f"robot-{uuid4().hex[:8]}"
    made = await owner.ask("POST", f"{OURS}/service-accounts", {"name": name, "role": role})
    token = await owner.ask(
        "POST", f"{OURS}/service-accounts/{name}/tokens", {"name": "t", "expires_in_days": 1}
    )
    return User(owner.url, token["token"], owner.session), made["login"], token["id"]


async def test_events_pass_the_gateway_one_by_one(owner: User) -> None:
    run_id = await owner.new_run()
    async with owner.listening(f"/runs/{run_id}") as heard:
        assert heard.status == 200
        await eventually(lambda: heard.of("snapshot"), within=15)
        for step in range(3):
            await owner.log(run_id, step)
            # The next one is not sent before this one has come.
            await eventually(lambda: heard.steps == list(range(step + 1)))  # noqa: B023
        last = heard.last_id
    await owner.log(run_id, 3)
    async with owner.listening(f"/runs/{run_id}", last) as heard:
        await eventually(lambda: heard.steps == [3])
        assert not heard.of("snapshot")


async def test_a_revoked_token_hears_nothing_more(owner: User) -> None:
    run_id = await owner.new_run()
    robot, _, token_id = await account(owner, "viewer")
    async with robot.listening(f"/runs/{run_id}") as heard:
        await eventually(lambda: heard.of("snapshot"), within=15)
        revoked_at = time.monotonic()
        await robot.ask("DELETE", f"{OURS}/tokens/{token_id}")
        await eventually(lambda: heard.ended)
        assert time.monotonic() - revoked_at < 3
    async with robot.listening(f"/runs/{run_id}", heard.last_id) as heard:
        assert heard.status == 401


async def test_a_grant_that_is_taken_back_ends_the_stream(owner: User) -> None:
    name = f"granted-{uuid4().hex[:8]}"
    made = await owner.ml("experiments/create", name=name)
    run_id = await owner.new_run(made["experiment_id"])
    robot, login, _ = await account(owner, None)
    grant = await owner.ask(
        "POST",
        f"{OURS}/grants",
        {"subject": login, "effect": "allow", "kind": "experiment", "pattern": name}
        | {"role": "viewer", "reason": ""},
    )
    for path in (f"/runs/{run_id}", f"/experiments/{made['experiment_id']}"):
        async with robot.listening(path) as heard:
            assert heard.status == 200
            await eventually(lambda: heard.of("snapshot"), within=15)
    async with robot.listening(f"/runs/{run_id}") as heard:
        await eventually(lambda: heard.of("snapshot"), within=15)
        await owner.ask("DELETE", f"{OURS}/grants/{grant['id']}")
        await eventually(lambda: heard.ended)
    async with robot.listening(f"/runs/{run_id}", heard.last_id) as heard:
        assert heard.status == 404


async def test_maestro_watches_runs_until_they_end(
    owner: User, deployment: Deployment, tmp_path: Path
) -> None:
    runs = [await owner.new_run() for _ in range(2)]
    words = [sys.executable, "-m", "maestro"]
    env = {
        "HOME": str(tmp_path),
        "PYTHONPATH": str(CLIENT),
        "MAESTRO_URL": deployment.url,
        "MAESTRO_TOKEN": deployment.token,
        "COLUMNS": "100",
    }
    pipe = asyncio.subprocess.PIPE
    for_people = await asyncio.create_subprocess_exec(
        *words, "watch", *runs, env=env, stdout=pipe, stderr=pipe
    )
    for_programs = await asyncio.create_subprocess_exec(
        *words, "--json", "watch", "--experiment", "0", "--stay", env=env, stdout=pipe
    )
    try:
        assert for_programs.stdout is not None
        first = await asyncio.wait_for(for_programs.stdout.readline(), 30)
        assert json.loads(first)["event"] == "snapshot"
        for step in range(20):
            await owner.log(runs[step % 2], step)
        for run_id in runs:
            await owner.ml("runs/update", run_id=run_id, status="FINISHED", end_time=2_001)
        printed, complained = await asyncio.wait_for(for_people.communicate(), 30)
        assert (for_people.returncode, complained.decode()) == (0, "")
        picture = printed.decode()
        assert picture.count("FINISHED") >= 2
        assert "0:00:02" in picture
        assert "step 19" in picture
        points: list[Any] = []
        while len(points) < 20:
            told = json.loads(await asyncio.wait_for(for_programs.stdout.readline(), 30))
            points += [p for p in told["data"].get("points", []) if p["run_id"] in runs]
        assert sorted(point["step"] for point in points) == list(range(20))
    finally:
        for child in (for_people, for_programs):
            if child.returncode is None:
                child.kill()
            await child.wait()


# The last, as nothing runs after it.
async def test_a_process_that_is_to_end_waits_for_no_listener(
    owner: User, deployment: Deployment
) -> None:
    run_id = await owner.new_run()
    async with (
        owner.listening(f"/runs/{run_id}") as heard,
        owner.listening("/experiments/0") as whole,
    ):
        await eventually(lambda: heard.of("snapshot") and whole.of("snapshot"), within=15)
        front = deployment.processes[-1]
        asked_at = time.monotonic()
        await front.stop()
        assert time.monotonic() - asked_at < 8
        await eventually(lambda: heard.ended and whole.ended)
        assert heard.blocks[-1].startswith("retry: ")
        assert whole.blocks[-1].startswith("retry: ")
