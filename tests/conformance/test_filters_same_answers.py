"""Hundreds of searches over the same data: a real `mlflow server` and we find the same, in one order."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pytest
import pytest_asyncio

from services.tracking.service import SERVICE
from tests.conformance import filters_searches
from tests.conformance.filters_data import Ask, Made, give_ids, make
from tests.conformance.filters_peer import mlflow_server
from tests.serving import Client, new_tenant, served

# More, to look for what the usual ones do not show: MAESTRO_SEARCHES=1000.
SEARCHES: Final = int(os.environ.get("MAESTRO_SEARCHES", "80"))
SEED: Final = int(os.environ.get("MAESTRO_SEARCHES_SEED", "3"))


@dataclass(frozen=True)
class Both:
    """Both servers and the ids of what is on them, which are the same."""

    ours: Ask
    theirs: Ask
    made: Made


def asked(client: Client) -> Ask:
    """How our service is asked."""

    async def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
        reply = await client.ask(method, f"/api/2.0/mlflow/{path}", body)
        return reply.status, msgspec.json.decode(reply.body)

    return ask


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def both(
    platform_environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Both]:
    """The servers with the same data; nothing is written after it."""
    folder: Path = tmp_path_factory.mktemp("mlflow")
    superuser = platform_environment["MAESTRO_POSTGRES_URL"]
    async with (
        mlflow_server(superuser, folder) as server,
        served(SERVICE, platform_environment) as tracking,
    ):
        client = tracking.of(new_tenant())
        theirs = await make(server.ask, SEED)
        mine = await make(asked(client), SEED)
        assert mine.experiments == theirs.experiments
        await give_ids(superuser, server.database_url, client.tenant.number, mine, theirs)
        yield Both(asked(client), server.ask, theirs)


async def pages(ask: Ask, path: str, body: dict[str, Any], key: str) -> list[list[str]] | str:
    """The ids of each page, or why there is none."""
    found: list[list[str]] = []
    token = ""
    while True:
        status, answer = await ask("POST", path, {**body, "page_token": token} if token else body)
        if status != 200:
            return f"{status} {answer.get('error_code')}"
        found.append([_id(entry) for entry in answer.get(key, [])])
        token = answer.get("next_page_token", "")
        if not token:
            # An empty page after a full last one says the same as none.
            return [page for page in found if page]


def _id(entry: Any) -> str:
    info = entry.get("info", entry)
    found: str = info.get("run_id") or info.get("model_id") or info["experiment_id"]
    return found


# The shortest first: the server's start counts towards its time.
KINDS: Final[dict[str, tuple[str, str, Callable[[Random, Made], dict[str, Any]], int]]] = {
    "experiments": (
        *("experiments/search", "experiments"),
        *(filters_searches.experiment_search, SEARCHES // 3),
    ),
    "runs": ("runs/search", "runs", filters_searches.run_search, SEARCHES),
    "models": ("logged-models/search", "models", filters_searches.model_search, SEARCHES // 2),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_both_find_the_same(both: Both, kind: str) -> None:
    """Page by page; where MLflow fails, we answer or refuse."""
    path, key, search, count = KINDS[kind]
    random = Random(SEED)
    differences = []
    hits = 0
    for _ in range(count):
        body = search(random, both.made)
        theirs = await pages(both.theirs, path, body, key)
        ours = await pages(both.ours, path, body, key)
        if isinstance(theirs, str) and theirs.startswith("500"):
            assert not isinstance(ours, str) or ours.startswith("400"), (body, ours)
        elif ours != theirs:
            differences.append(f"{body}\n  ours   {ours}\n  theirs {theirs}")
        hits += bool(theirs)
    assert not differences, f"{len(differences)} of {count}:\n" + "\n".join(differences[:8])
    # Searches that find nothing would prove little.
    assert hits > count / 3
