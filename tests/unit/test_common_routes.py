"""Routes: what a handler may take, and what comes back for a request nobody serves."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response, StreamingResponse

from libs.common.errors import invalid
from libs.common.http.application import OWN_BODY_LIMIT, application, read_body
from libs.common.http.calling import Reply, call
from libs.common.http.routes import JSON_BODY_LIMIT, PUBLIC, Call, Routes
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.runner import running
from libs.common.service import Service
from tests.signing import Signer, Tenant

ROUTES = Routes()
OWN = APIRouter()


class Order(msgspec.Struct):
    """A made-up request."""

    dish: str | None = None
    plates: int | None = None
    extras: list[str] = []


@ROUTES.mlflow("POST", "2.0/mlflow/orders/create", permission="model.register")
async def create_order(call: Call, body: Order) -> object:
    if body.dish == "fire":
        raise KeyError("insides")
    return {"dish": body.dish, "plates": body.plates, "by": call.principal.subject}


@ROUTES.mlflow("GET", "2.0/mlflow/orders/get", permission="model.read")
async def get_order(call: Call, body: Order) -> Order:
    return body


@ROUTES.plain("PUT", "/orders/{number}/picture", permission="model.register")
async def put_picture(call: Call) -> Response:
    body = await read_body(call.request, limit=10)
    return Response(call.request.path_params["number"].encode() + b":" + body)


@ROUTES.plain("GET", "/menu", permission=PUBLIC)
async def menu(call: Call) -> bytes:
    assert call.caller is None
    return b'["soup"]'


@ROUTES.plain("GET", "/steam", permission=PUBLIC)
async def steam(call: Call) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamingResponse(parts())


class Seat(BaseModel):
    """A body of our own REST."""

    model_config = ConfigDict(extra="forbid")

    row: int


@OWN.post("/api/maestro/v1/seats")
async def take_seat(seat: Seat) -> dict[str, int]:
    if seat.row > 100:
        raise invalid("No such row")
    return {"row": seat.row}


class Kitchen:
    """A running service with the routes above."""

    def __init__(self, app: Any, signer: Signer) -> None:
        self.app = app
        self.token = signer.principal(Tenant(1), "probe")

    async def ask(self, method: str, path: str, body: bytes = b"", query: str = "") -> Reply:
        """Ask as a verified caller."""
        return await call(
            self.app,
            method,
            path,
            headers=[(PRINCIPAL_HEADER, self.token), ("content-type", "application/json")],
            body=body,
            query=query,
        )


@pytest.fixture
async def kitchen() -> AsyncIterator[Kitchen]:
    service = Service(
        name="probe", settings=None, api=lambda value: application(value, ROUTES, [OWN])
    )
    env = {
        "MAESTRO_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "PROBE_KAFKA_USERNAME": "probe",
        "PROBE_KAFKA_PASSWORD": "none",
    }
    signer = Signer()
    async with running(service, env, {"auth": signer}) as (_, app):
        yield Kitchen(app, signer)


def test_a_body_that_is_no_struct_fails_where_it_is_declared() -> None:
    for kind in (dict, str, BaseModel, list[Order]):

        async def handler(call: Call, body: Any) -> object:
            return body

        handler.__annotations__["body"] = kind
        with pytest.raises(TypeError, match="annotate its body with a msgspec Struct"):
            Routes().plain("POST", "/x", permission="run.log")(handler)


def test_a_body_without_an_annotation_fails_where_it_is_declared() -> None:
    async def handler(call: Call, body) -> object:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return body

    with pytest.raises((TypeError, KeyError)):
        Routes().plain("POST", "/x", permission="run.log")(handler)


@pytest.mark.parametrize("prefix", ["/api", "/ajax-api"])
async def test_an_operation_answers_under_both_prefixes(kitchen: Kitchen, prefix: str) -> None:
    body = b'{"dish":"soup","plates":"2","new":true}'
    reply = await kitchen.ask("POST", f"{prefix}/2.0/mlflow/orders/create", body)
    assert reply.headers["content-type"] == "application/json"
    assert json.loads(reply.body) == {"dish": "soup", "plates": 2, "by": "tester"}


async def test_a_get_reads_its_query(kitchen: Kitchen) -> None:
    query = "dish=soup&extras=a&extras=b&plates=3"
    reply = await kitchen.ask("GET", "/api/2.0/mlflow/orders/get", query=query)
    assert json.loads(reply.body) == {"dish": "soup", "plates": 3, "extras": ["a", "b"]}


@pytest.mark.parametrize(
    "body",
    [
        b'{"plates":"many"}',
        b'{"plates":1.5}',
        b'{"plates":9223372036854775808}',
        b'{"dish":5}',
        b'{"dish":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"dish":"\\ud800"}',
    ],
)
async def test_a_wrong_body_meets_an_error_of_mlflow(kitchen: Kitchen, body: bytes) -> None:
    reply = await kitchen.ask("POST", "/api/2.0/mlflow/orders/create", body)
    if reply.status != 200:  # too deep to be read counts as no body at all
        assert reply.status == 400
        assert json.loads(reply.body)["error_code"] == "INVALID_PARAMETER_VALUE"
    else:
        assert json.loads(reply.body)["dish"] is None


async def test_a_body_past_the_limit_of_json_is_refused(kitchen: Kitchen) -> None:
    body = b'{"dish":"' + b"x" * JSON_BODY_LIMIT + b'"}'
    reply = await kitchen.ask("POST", "/api/2.0/mlflow/orders/create", body)
    assert (reply.status, json.loads(reply.body)["error_code"]) == (413, "INVALID_PARAMETER_VALUE")


async def test_a_handler_that_falls_over_is_a_500_without_its_insides(kitchen: Kitchen) -> None:
    reply = await kitchen.ask("POST", "/api/2.0/mlflow/orders/create", b'{"dish":"fire"}')
    assert reply.status == 500
    assert json.loads(reply.body)["error_code"] == "INTERNAL_ERROR"
    assert b"insides" not in reply.body


@pytest.mark.parametrize("token", ["", "a.b.c"])
async def test_without_a_principal_only_public_routes_answer(kitchen: Kitchen, token: str) -> None:
    kitchen.token = token
    reply = await kitchen.ask("POST", "/api/2.0/mlflow/orders/create", b"{}")
    assert (reply.status, json.loads(reply.body)["error_code"]) == (401, "UNAUTHENTICATED")
    assert (await kitchen.ask("GET", "/menu")).body == b'["soup"]'


async def test_paths_with_parameters_and_raw_bodies(kitchen: Kitchen) -> None:
    assert (await kitchen.ask("PUT", "/orders/7/picture", b"png")).body == b"7:png"
    assert (await kitchen.ask("PUT", "/orders/7/picture", b"x" * 11)).status == 413


async def test_answers_can_be_streamed(kitchen: Kitchen) -> None:
    assert (await kitchen.ask("GET", "/steam")).body == b"ab"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nothing"),
        ("POST", "/api/2.0/mlflow/orders/create/"),
        ("POST", "/docs"),
        ("GET", "/openapi.json"),
    ],
)
async def test_what_nobody_serves_is_a_404_in_mlflows_form(
    kitchen: Kitchen, method: str, path: str
) -> None:
    reply = await kitchen.ask(method, path)
    assert (reply.status, json.loads(reply.body)["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/2.0/mlflow/orders/create", "POST"),
        ("DELETE", "/menu", "GET, HEAD"),
    ],
)
async def test_another_method_is_a_405_that_says_which_are_served(
    kitchen: Kitchen, method: str, path: str, allowed: str
) -> None:
    reply = await kitchen.ask(method, path)
    assert (reply.status, json.loads(reply.body)["error_code"]) == (405, "ENDPOINT_NOT_FOUND")
    assert reply.headers["allow"] == allowed


async def test_a_head_is_answered_where_a_get_is(kitchen: Kitchen) -> None:
    assert (await kitchen.ask("HEAD", "/menu")).status == 200


async def test_our_own_rest_answers_problem_details(kitchen: Kitchen) -> None:
    assert (await kitchen.ask("POST", "/api/maestro/v1/seats", b'{"row":3}')).body == b'{"row":3}'
    for body, said in ((b'{"row":"x"}', "body.row"), (b'{"row":101}', "No such row"), (b"{", "")):
        reply = await kitchen.ask("POST", "/api/maestro/v1/seats", body)
        problem = json.loads(reply.body)
        assert reply.headers["content-type"] == "application/problem+json"
        assert (reply.status, problem["code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert said in problem["detail"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff{}", b"\x1f\x8b\x08"])
async def test_what_our_own_rest_cannot_even_parse_is_told_in_problem_details(
    kitchen: Kitchen, body: bytes
) -> None:
    reply = await kitchen.ask("POST", "/api/maestro/v1/seats", body)
    problem = json.loads(reply.body)
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.status, problem["status"], problem["code"]) == (400, 400, "BAD_REQUEST")


async def test_a_body_of_our_own_rest_is_bounded_and_so_is_what_is_said_of_it(
    kitchen: Kitchen,
) -> None:
    large = b'{"row":3,"note":"' + b"x" * OWN_BODY_LIMIT + b'"}'
    assert (await kitchen.ask("POST", "/api/maestro/v1/seats", large)).status == 413
    names = b"{" + b",".join(b'"%d":1' % i for i in range(50_000)) + b"}"
    reply = await kitchen.ask("POST", "/api/maestro/v1/seats", names)
    assert (reply.status, len(reply.body) < 5_000) == (400, True)


async def test_a_slash_too_many_is_not_found_rather_than_redirected(kitchen: Kitchen) -> None:
    assert (await kitchen.ask("POST", "/api/maestro/v1/seats/", b'{"row":3}')).status == 404


async def test_a_service_says_that_it_lives_and_shows_its_metrics(kitchen: Kitchen) -> None:
    await kitchen.ask("GET", "/menu")
    assert (await kitchen.ask("GET", "/health")).body == b"OK"
    assert (await kitchen.ask("GET", "/ready")).status == 200
    shown = (await kitchen.ask("GET", "/metrics")).body.decode()
    assert 'maestro_http_requests_total{method="GET",route="menu",service="probe"' in shown
