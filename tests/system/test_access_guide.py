"""docs/access.md, command by command, and then the README's script in each member's hands."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.embedded import Parts
from tests.deployments import Deployment, deployed

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "libs/client"
WRAPPER = '#!/bin/sh\nPYTHONPATH="{client}" exec "{python}" -m maestro "$@"\n'
SCRIPT = """
import mlflow
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

mlflow.sklearn.autolog(registered_model_name="{name}")
Ridge().fit(*load_diabetes(return_X_y=True))
print(sorted(model.name for model in mlflow.search_registered_models()))
"""


def commands(page: str) -> str:
    """The shell of a page, block after block."""
    return "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(
    fresh_parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """The services in one process, on which nobody has worked."""
    async with deployed(fresh_parts.environment, tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home, with `maestro` among the commands."""
    home = tmp_path_factory.mktemp("user")
    program = home / "bin/maestro"
    program.parent.mkdir()
    program.write_text(WRAPPER.format(client=CLIENT, python=sys.executable))
    program.chmod(0o755)
    return home


def environment(home: Path, deployment: Deployment) -> dict[str, str]:
    """What the guide's reader has set."""
    return {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "URL": deployment.url,
        "OPERATOR_TOKEN": deployment.environment["AUTH_OPERATOR_TOKEN_FILE"],
        "COLUMNS": "200",
    }


async def ran(command: list[str], env: dict[str, str], seconds: float = 180) -> tuple[int, str]:
    """A command's exit status and everything it printed."""
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env=env,
        cwd=env["HOME"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(platform: Deployment, home: Path) -> str:
    """What the guide's commands print, all of which must succeed."""
    text = commands((ROOT / "docs/access.md").read_text(encoding="utf-8"))
    status, printed = await ran(
        ["bash", "-euo", "pipefail", "-c", text], environment(home, platform), 300
    )
    assert status == 0, printed
    return printed


def test_the_guide_explains_what_it_did(told: str) -> None:
    assert "No: an explicit deny wins (deny)." in told
    assert "cleo@acme.example" in told
    assert "run.log" in told


async def train(home: Path, deployment: Deployment, profile: str) -> tuple[int, str]:
    """The README's script with a member's credential."""
    kept = json.loads((home / ".config/maestro/credentials.json").read_text())
    env = environment(home, deployment) | {
        "MLFLOW_TRACKING_URI": kept[profile]["url"],
        "MLFLOW_TRACKING_TOKEN": kept[profile]["token"],
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    return await ran([sys.executable, "-c", SCRIPT.format(name=f"by-{profile}")], env)


@pytest.mark.parametrize("profile", ["acme", "contributor", "reviewer", "nightly", "globex"])
async def test_who_may_train_trains_and_sees_their_own_tenants_models(
    profile: str, told: str, platform: Deployment, home: Path
) -> None:
    status, printed = await train(home, platform, profile)
    assert status == 0, printed
    seen = printed.splitlines()[-1]
    assert f"by-{profile}" in seen
    assert ("by-globex" in seen) == (profile == "globex")


async def test_a_viewer_is_told_what_is_missing(
    told: str, platform: Deployment, home: Path
) -> None:
    _, printed = await train(home, platform, "viewer")
    assert "PERMISSION_DENIED" in printed
    assert "run.create" in printed
