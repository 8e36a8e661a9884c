"""Tenants are walled off: another's id answers exactly as an id that nobody has."""

from typing import Any

import pytest
from asyncpg.exceptions import InsufficientPrivilegeError

from libs.common.http.calling import call
from libs.common.principal import PRINCIPAL_HEADER
from tests.service.tracking.making import data_of, new_experiment, new_run
from tests.serving import Client, new_tenant

NOBODY = "0" * 32
RUN_WRITES: list[tuple[str, dict[str, Any]]] = [
    ("runs/log-metric", {"key": "m", "value": 1, "timestamp": 1}),
    ("runs/log-batch", {"metrics": [{"key": "m", "value": 1, "timestamp": 1}]}),
    ("runs/log-batch", {"tags": [{"key": "mlflow.runName", "value": "stolen"}]}),
    ("runs/log-parameter", {"key": "p", "value": "1"}),
    ("runs/set-tag", {"key": "t", "value": "1"}),
    ("runs/set-tag", {"key": "mlflow.runName", "value": "stolen"}),
    ("runs/delete-tag", {"key": "mlflow.runName"}),
    ("runs/update", {"status": "FAILED"}),
    ("runs/delete", {}),
    ("runs/restore", {}),
    ("runs/log-inputs", {"models": [{"model_id": "m-1"}]}),
    ("runs/outputs", {"models": [{"model_id": "m-1"}]}),
]
EXPERIMENT_WRITES: list[tuple[str, dict[str, Any]]] = [
    ("runs/create", {}),
    ("experiments/update", {"new_name": "stolen"}),
    ("experiments/delete", {}),
    ("experiments/set-experiment-tag", {"key": "t", "value": "1"}),
    ("experiments/delete-experiment-tag", {"key": "t"}),
]


async def answer_to(client: Client, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
    """A refusal's status and bytes."""
    reply = await client.ask("POST", f"/api/2.0/mlflow/{path}", body)
    return reply.status, reply.body


@pytest.mark.parametrize(("path", "body"), RUN_WRITES)
async def test_anothers_run_cannot_be_told_from_none(
    client: Client, path: str, body: dict[str, Any]
) -> None:
    run_id = await new_run(client, params={"kept": "1"})
    before = await data_of(client, run_id)
    stranger = client.of(new_tenant())
    status, theirs = await answer_to(stranger, path, {"run_id": run_id, **body})
    nobodys = await answer_to(client, path, {"run_id": NOBODY, **body})
    assert (status, theirs.replace(run_id.encode(), NOBODY.encode())) == nobodys
    assert status == 404
    assert await data_of(client, run_id) == before


async def test_anothers_run_cannot_be_read(client: Client) -> None:
    run_id = await new_run(client, metrics={"m": 1.0})
    stranger = client.of(new_tenant())
    reply = await stranger.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={run_id}")
    assert reply.status == 404
    assert await stranger.get("metrics/get-history", f"run_id={run_id}&metric_key=m") == {}
    bulk = await stranger.ask(
        "GET",
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk",
        query=f"run_id={run_id}&metric_key=m",
    )
    assert bulk.body == b'{"metrics":[]}'
    assert await stranger.post("runs/search", {"experiment_ids": ["0"]}) == {}


@pytest.mark.parametrize(("path", "body"), EXPERIMENT_WRITES)
async def test_anothers_experiment_cannot_be_told_from_none(
    client: Client, path: str, body: dict[str, Any]
) -> None:
    for _ in range(3):
        experiment_id = await new_experiment(client)
    stranger = client.of(new_tenant())
    status, theirs = await answer_to(stranger, path, {"experiment_id": experiment_id, **body})
    assert status == 404
    assert theirs.decode().count(f"No Experiment with id={experiment_id} exists") == 1


async def test_each_tenant_counts_its_own_experiments_and_has_its_own_default(
    client: Client,
) -> None:
    stranger = client.of(new_tenant())
    assert await new_experiment(client, "same name") == "1"
    assert await new_experiment(stranger, "same name") == "1"
    for each in (client, stranger):
        answer = await each.get("experiments/get", "experiment_id=0")
        assert answer["experiment"]["name"] == "Default"


async def test_another_workspace_of_the_tenant_sees_nothing_either(client: Client) -> None:
    run_id = await new_run(client)
    principal = client.signer.principal(client.tenant, "tracking", workspace_id=2)
    reply = await call(
        client.app,
        "GET",
        "/api/2.0/mlflow/runs/get",
        query=f"run_id={run_id}",
        headers=[(PRINCIPAL_HEADER, principal)],
    )
    assert reply.status == 404


async def test_the_database_itself_hides_and_refuses_other_tenants_rows(client: Client) -> None:
    run_id = await new_run(client)
    database = client.running.database
    other = new_tenant().number
    async with database.transaction(other) as connection:
        assert await connection.fetchval("SELECT count(*) FROM runs") == 0
    async with database.transaction() as connection:
        assert await connection.fetchval("SELECT count(*) FROM runs") == 0
    with pytest.raises(InsufficientPrivilegeError):
        async with database.transaction(other) as connection:
            await connection.execute(
                "INSERT INTO experiment_counters VALUES ($1, 1)", client.tenant.number
            )
    async with database.transaction(client.tenant.number) as connection:
        found = await connection.fetchval("SELECT run_id FROM runs")
    assert found.hex == run_id
