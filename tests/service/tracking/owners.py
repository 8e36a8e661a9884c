"""Runs and logged models that tests work on, and what is stored of their artifacts."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from tests.service.tracking.wire import ARTIFACTS
from tests.serving import Client

# A model id that nobody has.
NEVER = f"m-{'0' * 32}"


async def new_run(client: Client) -> str:
    """The id of a new run of experiment 0."""
    run_id: str = (await client.post("runs/create", {"experiment_id": "0"}))["run"]["info"][
        "run_id"
    ]
    return run_id


async def new_model(client: Client, **fields: Any) -> str:
    """The id of a new logged model of experiment 0."""
    answer = await client.post("logged-models", {"experiment_id": "0", **fields})
    model_id: str = answer["model"]["info"]["model_id"]
    return model_id


def of_run(run_id: str, path: str = "") -> str:
    """The URL path of an artifact of a run."""
    return f"{ARTIFACTS}/0/{run_id}/artifacts{path}"


def of_model(model_id: str, path: str = "") -> str:
    """The URL path of an artifact of a logged model."""
    return f"{ARTIFACTS}/0/models/{model_id}/artifacts{path}"


def store_folder(client: Client) -> Path:
    """The folder that the service keeps artifacts in."""
    return Path(unquote(urlsplit(client.running.settings.artifact_store).path))


def objects(client: Client) -> list[str]:
    """Every file that the store holds for the tenant, also unfinished ones."""
    below = store_folder(client) / "t" / client.tenant.id
    return sorted(str(path.relative_to(below)) for path in below.rglob("*") if path.is_file())


async def stored(client: Client) -> list[str]:
    """The paths of all files of the tenant in its default workspace, as `0/<run>/artifacts/…`."""
    number = client.tenant.number
    async with client.running.database.reading(number) as connection:
        rows = await connection.fetch(
            "SELECT path FROM artifacts WHERE tenant_no = $1 AND workspace_id = 1 ORDER BY path",
            number,
        )
    return [row["path"] for row in rows]


async def asked(
    client: Client, method: str, path: str, body: Any = None, query: str = ""
) -> tuple[int, Any]:
    """Status and answer of an operation on logged models."""
    reply = await client.ask(method, f"/api/2.0/mlflow/logged-models{path}", body, query=query)
    return reply.status, msgspec.json.decode(reply.body)


async def model(client: Client, model_id: str) -> Any:
    """A logged model as it is answered."""
    return (await client.get(f"logged-models/{model_id}"))["model"]


async def tags(client: Client, model_id: str) -> dict[str, str]:
    """A logged model's tags."""
    found = (await model(client, model_id))["info"].get("tags", [])
    return {tag["key"]: tag["value"] for tag in found}
