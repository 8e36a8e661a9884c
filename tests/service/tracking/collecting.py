"""Runs with something of everything, and what a collection finds, removes and leaves of them."""

import json
from hashlib import sha256

from services.tracking.model.retention import Scope
from tests.service.tracking.making import new_run
from tests.service.tracking.owners import NEVER
from tests.service.tracking.test_forks import line, log
from tests.service.tracking.wire import ARTIFACTS
from tests.serving import Client
from tests.waiting import eventually

GARBAGE = "/api/maestro/v1/garbage"
NOTHING = {
    "runs": 0,
    "logged_models": 0,
    "experiments": 0,
    "points": 0,
    "artifact_bytes": 0,
    "waiting": 0,
}


async def collected(client: Client, days: int | None = 0) -> dict[str, int]:
    """What a collection says that it removed, when the registry has answered all of it."""
    total = dict(NOTHING)

    async def answered() -> bool:
        reply = await client.ask("POST", f"{GARBAGE}/collect", {"older_than_days": days})
        assert reply.status == 200, reply.body
        found = json.loads(reply.body)
        for key, count in found.items():
            total[key] = total[key] + count if key != "waiting" else count
        return total["waiting"] == 0

    await eventually(answered, within=60)
    return total


async def would_go(client: Client, days: int | None = 0) -> dict[str, int]:
    query = "" if days is None else f"older_than_days={days}"
    reply = await client.ask("GET", GARBAGE, query=query)
    assert reply.status == 200, reply.body
    found: dict[str, int] = json.loads(reply.body)
    return found


async def upload(client: Client, path: str, content: bytes) -> None:
    reply = await client.ask("PUT", f"{ARTIFACTS}/{path}", raw=content)
    assert reply.status == 200, reply.body


async def content_of(client: Client, path: str) -> str:
    """The checksum of a file as it is downloaded."""
    reply = await client.ask("GET", f"{ARTIFACTS}/{path}")
    assert reply.status == 200, (path, reply.body)
    return sha256(reply.body).hexdigest()


async def is_there(client: Client, run_id: str) -> bool:
    reply = await client.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={run_id}")
    assert reply.status in (200, 404), reply.body
    return reply.status == 200


async def rows(client: Client) -> dict[str, int]:
    """How many rows the tenant has in each table that the collector empties."""
    tables = (
        *("runs", "params", "run_tags", "latest_metrics", "inputs", "input_tags", "run_models"),
        *("metric_points", "metric_segments", "run_ancestry"),
        *("logged_models", "logged_model_params", "logged_model_tags"),
        *("artifacts", "condemned", "leftover_points", "datasets"),
    )
    number = client.tenant.number
    async with client.running.database.reading(number) as connection:
        return {
            table: await connection.fetchval(
                f"SELECT count(*) FROM {table} WHERE tenant_no = $1",
                number,
            )
            for table in tables
        }


async def version_of(registry: Client, source: str, **more: str) -> None:
    """A registered version `m/1` of a source."""
    await registry.post("registered-models/create", {"name": "m"})
    await registry.post("model-versions/create", {"name": "m", "source": source, **more})


async def full_run(client: Client, experiment: str, content: bytes = b"weights") -> str:
    """A run with something of everything."""
    run_id = await new_run(client, experiment, params={"p": "1"}, tags={"t": "1"})
    await log(client, run_id, line("m", range(5)))
    dataset = {"name": "d", "digest": "1", "source_type": "code", "source": "{}"}
    use = {"dataset": dataset, "tags": [{"key": "a", "value": "b"}]}
    await client.post("runs/log-inputs", {"run_id": run_id, "datasets": [use]})
    made = [{"model_id": NEVER, "step": 0}]
    await client.post("runs/outputs", {"run_id": run_id, "models": made})
    await upload(client, f"{experiment}/{run_id}/artifacts/model/weights.bin", content)
    return run_id


async def unheard(client: Client) -> bool:
    """Let tracking be as if it had not heard of the tenant's versions, once it has."""
    async with client.running.database.transaction(client.tenant.number) as connection:
        tag = await connection.execute(
            "UPDATE model_versions SET gone = true, version = 1000 WHERE tenant_no = $1",
            client.tenant.number,
        )
    return tag != "UPDATE 0"


def scope_of(client: Client, days: int | None = 0) -> Scope:
    return Scope(
        tenant=client.tenant.id,
        tenant_no=client.tenant.number,
        subject="test",
        workspace_id=None,
        default_days=30,
        days=days,
    )


async def states(client: Client, state: str) -> bool:
    async with client.running.database.reading(client.tenant.number) as connection:
        found = await connection.fetchval(
            "SELECT count(*) FROM condemned WHERE tenant_no = $1 AND state = $2",
            *(client.tenant.number, state),
        )
    return bool(found)
