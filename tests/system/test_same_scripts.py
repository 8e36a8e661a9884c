"""Plain scripts of users, run unmodified against a real `mlflow server` and against the platform."""

import asyncio
import difflib
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from mlflow import MlflowClient

from libs.embedded import Parts
from tests.deployments import deployed
from tests.load.peer import one_worker
from tests.system.masking import Mask

SCRIPTS: Final = Path(__file__).parent / "scripts"
PATIENCE_SECONDS: Final = 120
# Each line is a script and the words that it is given after a name of its own.
ASKED: Final[tuple[tuple[str, ...], ...]] = (
    ("nested_runs",),
    ("log_input",),
    ("command_line",),
    ("client_tracking",),
    ("client_registry",),
    ("autolog_sklearn",),
    ("autolog_boosting",),
)
# Calls of MlflowClient that the scripts leave out, by the end or the start of their names.
LEFT_OUT: Final[Mapping[str, str]] = {
    r"(start|end)_(trace|span)|.*_traces?(_tag|_to_run|_from_run)?|.*_to_trace": "traces",
    r".*mcp.*": "the registry of MCP servers",
    r".*webhooks?": "webhooks",
    r".*workspaces?|get_workspace_store_uri": "a plain server has no workspaces",
    r"(create|get|delete|search)_datasets?|.*_dataset_tags?|.*_(to|from)_experiments": (
        "evaluation datasets"
    ),
    r"(link|list|detach)_.*prompts?.*": "prompts linked to other things",
    r"search_prompt_versions": "only Databricks answers it",
    r"tracking_uri": "a property that asks nobody",
}


@dataclass(frozen=True)
class Side:
    """A server: its address, and the variables with which a client logs in there."""

    url: str
    login: Mapping[str, str] = field(default_factory=dict)

    async def output(self, words: tuple[str, ...], folder: Path) -> str:
        """What a script printed there, masked, once it has ended well."""
        script, *rest = words
        folder.mkdir()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SCRIPTS / f"{script}.py"), "-".join(words), *rest),
            cwd=folder,
            env=self._environment(folder),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            said, complained = await asyncio.wait_for(child.communicate(), PATIENCE_SECONDS)
        finally:
            if child.returncode is None:
                child.kill()
        assert child.returncode == 0, complained.decode(errors="replace")[-4000:]
        return Mask(self.url)(said.decode())

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": str(folder),
            # The list of fonts takes seconds to make, and one serves all scripts.
            "MPLCONFIGDIR": str(folder.parent.parent / "matplotlib"),
            # What a model needs is found by loading it once more, and has to do with no server.
            "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1",
            # A test asks nobody outside this machine.
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_TRACKING_URI": self.url,
            **self.login,
        }


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sides(
    fresh_parts: Parts, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Side, Side]]:
    """A real server and ours, on the same PostgreSQL."""
    folder = tmp_path_factory.mktemp("same")
    environment = fresh_parts.environment
    async with (
        one_worker(environment["MAESTRO_POSTGRES_URL"], folder) as stock,
        deployed(environment, folder) as ours,
    ):
        await stock.answering()
        yield (
            Side(f"http://127.0.0.1:{stock.port}"),
            Side(ours.url, {"MLFLOW_TRACKING_TOKEN": ours.token}),
        )


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
async def test_a_script_prints_the_same_on_both_servers(
    words: tuple[str, ...], sides: tuple[Side, Side], tmp_path: Path
) -> None:
    theirs, ours = await asyncio.gather(
        *(side.output(words, tmp_path / str(number)) for number, side in enumerate(sides))
    )
    assert len(theirs.splitlines()) > 10
    different = difflib.unified_diff(
        theirs.splitlines(), ours.splitlines(), "a real server", "ours", lineterm=""
    )
    assert theirs == ours, "\n".join(different)


def test_every_call_of_the_client_is_made_or_left_out_for_a_reason() -> None:
    made = set()
    for script in SCRIPTS.glob("client_*.py"):
        text = script.read_text(encoding="utf-8")
        made |= set(re.findall(r'call\(\s*"(\w+)"|client\.(\w+)\(', text))
    called = {name for pair in made for name in pair if name}
    public = {name for name in dir(MlflowClient) if not name.startswith("_")}
    unexplained = {name for name in public - called if not reason(name)}
    assert unexplained == set()
    assert len(public & called) > 80


def reason(name: str) -> str | None:
    """Why the scripts do not make this call."""
    for pattern, why in LEFT_OUT.items():
        if re.fullmatch(pattern, name):
            return why
    return None
