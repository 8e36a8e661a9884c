"""Whatever is sent, the answer is MLflow's JSON and never a 500."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import msgspec
import pytest

from libs.common.http.routes import Route
from services.tracking.api import experiments, logging, metrics, runs
from tests.service.tracking.making import new_run
from tests.serving import Client

ROUTES = [route for module in (experiments, runs, logging, metrics) for route in module.routes.all]
BODIES = [
    b"",
    b"{",
    b"[]",
    b"5",
    b'"x"',
    b"null",
    b"\xff\xfe",
    b'"{\\"run_id\\": 5}"',
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    b'{"run_id": "a", "runId": "b"}',
]
VALUES = [
    *("5", '"x"', "[]", "{}", "null", "true", "1.5", "-1", "NaN", "Infinity", "1e400"),
    *(str(2**31), str(2**63), str(-(2**70)), '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '[[["x"]]]'),
    *('["\\u0000"]', '[{"key": "\\u0000", "value": "\\u0000"}]', '[{"key": {}}]', "[null]"),
    '"' + "x" * 70_000 + '"',
]


def spoiled(route: Route, run_id: str) -> Iterator[dict[str, str]]:
    """A sound request of a route with one field spoiled after the other, as JSON texts."""
    assert route.body is not None
    names = [field.name for field in msgspec.structs.fields(route.body)]
    sound = {
        "run_id": f'"{run_id}"',
        "run_ids": f'["{run_id}"]',
        "experiment_id": '"0"',
        "experiment_ids": '["0"]',
        "key": '"k"',
        "metric_key": '"m"',
        "value": "1" if route.body.__name__ == "LogMetric" else '"1"',
        "timestamp": "1",
        "max_results": "5",
    }
    for name in names:
        for value in VALUES:
            yield {known: sound[known] for known in names if known in sound} | {name: value}


def is_sound_answer(status: int, body: bytes) -> bool:
    """200, or a refusal in MLflow's form."""
    if status == 200:
        return True
    refusal = json.loads(body)
    return status in (400, 404, 413) and {"error_code", "message"} <= set(refusal)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.name}")
async def test_no_body_breaks_a_route(client: Client, route: Route) -> None:
    for body in BODIES:
        if route.method == "GET":
            query = quote(body[:2_000], safe="&=")
            reply = await client.ask("GET", route.paths[0], query=query)
        else:
            reply = await client.ask("POST", route.paths[0], raw=body)
        assert is_sound_answer(reply.status, reply.body), (body[:100], reply)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.name}")
async def test_no_value_of_a_field_breaks_a_route(client: Client, route: Route) -> None:
    run_id = await new_run(client, metrics={"m": 1.0})
    for request in spoiled(route, run_id):
        if route.method == "GET":
            plain = {name: value.strip('"[]') for name, value in request.items()}
            query = "&".join(f"{name}={quote(value)}" for name, value in plain.items())
            escaped = query.replace(quote("\\u0000"), "%00").replace(quote("\\ud800"), "%ED%A0%80")
            reply = await client.ask("GET", route.paths[0], query=escaped)
        else:
            body = ",".join(f'"{name}":{value}' for name, value in request.items())
            reply = await client.ask("POST", route.paths[0], raw=f"{{{body}}}".encode())
        assert is_sound_answer(reply.status, reply.body), (request, reply)


async def test_a_batch_with_spoiled_points_is_refused_whole(client: Client) -> None:
    run_id = await new_run(client)
    for name in ("key", "value", "timestamp", "step", "model_id", "dataset_name"):
        for value in VALUES:
            point = {"key": '"k"', "value": "1", "timestamp": "1", name: value}
            text = ",".join(f'"{field}":{given}' for field, given in point.items())
            raw = f'{{"run_id":"{run_id}","metrics":[{{{text}}}]}}'.encode()
            reply = await client.ask("POST", "/api/2.0/mlflow/runs/log-batch", raw=raw)
            assert is_sound_answer(reply.status, reply.body), (point, reply)


@pytest.mark.parametrize(
    "token", ["", "x", "e30=", "W10=", "WyJ4Il0=", "A" * 100_000, "%00", "WyJ4IiwxXQ=="]
)
async def test_no_page_token_breaks_a_search(client: Client, token: str) -> None:
    for path, body in (
        ("runs/search", {"experiment_ids": ["0"], "page_token": token}),
        ("experiments/search", {"max_results": 1, "page_token": token}),
    ):
        reply = await client.ask("POST", f"/api/2.0/mlflow/{path}", body)
        assert is_sound_answer(reply.status, reply.body)
