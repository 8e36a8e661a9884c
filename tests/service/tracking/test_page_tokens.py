"""Page tokens over HTTP: a search goes on with its own only, in its own tenant."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import pytest

from tests.service.tracking.making import new_experiment, new_run
from tests.serving import Client, new_tenant

STRANGE: Final = "Invalid page token, it was not given by this server for this search"
Search = Callable[[Client, str, str, dict[str, Any]], Awaitable[tuple[int, Any]]]


async def filled(client: Client) -> tuple[str, str]:
    """An experiment with three of everything, and one of its runs; the same ids in every tenant."""
    experiment_id = await new_experiment(client, "one")
    for name in ("two", "three"):
        await new_experiment(client, name)
    run_id = ""
    for number in range(3):
        run_id = await new_run(client, experiment_id, start_time=number)
        await client.post("logged-models", {"experiment_id": experiment_id, "name": f"m{number}"})
    points = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(3)]
    await client.post("runs/log-batch", {"run_id": run_id, "metrics": points})
    return experiment_id, run_id


async def posted(client: Client, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """The status and the answer of a search."""
    reply = await client.ask("POST", f"/api/2.0/mlflow/{path}", {"max_results": 1, **body})
    return reply.status, msgspec.json.decode(reply.body)


async def runs(
    client: Client, experiment_id: str, _run_id: str, more: dict[str, Any]
) -> tuple[int, Any]:
    """A search of runs."""
    return await posted(client, "runs/search", {"experiment_ids": [experiment_id], **more})


async def experiments(
    client: Client, _experiment_id: str, _run_id: str, more: dict[str, Any]
) -> tuple[int, Any]:
    """A search of experiments."""
    return await posted(client, "experiments/search", more)


async def models(
    client: Client, experiment_id: str, _run_id: str, more: dict[str, Any]
) -> tuple[int, Any]:
    """A search of logged models."""
    return await posted(client, "logged-models/search", {"experiment_ids": [experiment_id], **more})


async def history(
    client: Client, _experiment_id: str, run_id: str, more: dict[str, Any]
) -> tuple[int, Any]:
    """A metric's history."""
    query = {"run_id": run_id, "metric_key": "m", "max_results": 1, **more}
    reply = await client.ask("GET", "/api/2.0/mlflow/metrics/get-history", query=urlencode(query))
    return reply.status, msgspec.json.decode(reply.body)


SEARCHES: Final = (runs, experiments, models, history)


@pytest.mark.parametrize("search", SEARCHES)
async def test_a_token_is_good_for_its_own_search_only(client: Client, search: Search) -> None:
    place = await filled(client)
    status, answer = await search(client, *place, {})
    token = answer["next_page_token"]
    status, second = await search(client, *place, {"page_token": token})
    assert status == 200
    assert second != answer

    stranger = client.of(new_tenant())
    experiment_id, run_id = await filled(stranger)
    assert experiment_id == place[0]
    refused = [await search(stranger, experiment_id, run_id, {"page_token": token})]
    others = [other for other in SEARCHES if other is not search]
    refused += [await other(client, *place, {"page_token": token}) for other in others]
    raw = base64.urlsafe_b64decode(token)
    forged = bytes([raw[0] ^ 1]) + raw[1:], raw[:-4], raw[:8], raw[16:], b'{"offset": 1}'
    for content in forged:
        wrong = base64.urlsafe_b64encode(content).decode()
        refused.append(await search(client, *place, {"page_token": wrong}))
    for status, error in refused:
        assert (status, error["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert error["message"] == STRANGE
