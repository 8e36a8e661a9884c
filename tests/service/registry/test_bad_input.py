"""Whatever is sent, the answer is a result or MLflow's error JSON, never an error of the server."""

from typing import Any

import msgspec
import pytest

from services.registry.api import routes
from tests.service.registry.conftest import Registry

OPERATIONS = [
    (route.method, route.paths[0], sorted(route.body.__struct_fields__))
    for route in routes().all
    if route.body is not None
]
STRINGS = ["", " ", "a", "a/b", "..", "\x00", "a\x00b", "\ud800", "é" * 300, "'; DROP TABLE x", "%"]
ODD: list[Any] = [*STRINGS, 5, -1, 1.5, True, None, [], ["a"], [None], {}, {"a": {}}, 10**30]
RAW = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"5",
    b'"text"',
    b"\xff\xfe",
    b'{"name": "\xff"}',
    b'{"name": NaN}',
    b'"{\\"name\\": \\"a\\"}"',
    b"[" * 100_000,
    b'{"name":' * 50_000,
    b'{"name": "a", "name": "b"}',
]


async def check(registry: Registry, method: str, path: str, **sent: Any) -> None:
    """Ask, and look at the form of the answer."""
    reply = await registry.ask(method, path, **sent)
    assert reply.status in (200, 400, 404), (path, sent, reply.status, reply.body)
    if reply.status != 200:
        assert set(msgspec.json.decode(reply.body)) == {"error_code", "message"}


@pytest.mark.parametrize(("method", "path", "fields"), OPERATIONS)
async def test_odd_values_in_every_field(
    registry: Registry, method: str, path: str, fields: list[str]
) -> None:
    """One field odd, the others as they should be."""
    await registry.model("fraud")
    await registry.version("fraud")
    usual = {"name": "fraud", "version": "1", "key": "k", "value": "v", "alias": "a"}
    usual |= {"stage": "Staging", "new_name": "n", "source": "models:/fraud/1"}
    for field in fields:
        for odd in ODD:
            body = {name: usual[name] for name in fields if name in usual} | {field: odd}
            if method == "GET":
                query = "&".join(f"{name}={quoted(value)}" for name, value in body.items())
                await check(registry, method, path, query=query)
            else:
                # A lone surrogate is written as the escape that a careless client sends.
                raw = msgspec.json.encode(body) if odd != "\ud800" else surrogate(body, field)
                await check(registry, method, path, raw=raw)


def quoted(value: Any) -> str:
    """A value in a query string; bytes that are no text included."""
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else str(value).encode()
    return "".join(f"%{byte:02X}" for byte in raw)


def surrogate(body: dict[str, Any], field: str) -> bytes:
    """The body with a lone surrogate in `field`."""
    return msgspec.json.encode({**body, field: "LONE"}).replace(b"LONE", b"\\ud800")


@pytest.mark.parametrize(("method", "path", "fields"), OPERATIONS)
async def test_bodies_that_are_none(
    registry: Registry, method: str, path: str, fields: list[str]
) -> None:
    """Not JSON, not an object, not text, nested without end."""
    for raw in RAW:
        await check(registry, method, path, raw=raw)
    await check(registry, method, path, query="name=%FF&filter=%00&version=&x" + "&" * 1000)


async def test_tags_of_every_shape(registry: Registry) -> None:
    """Too many, too long, twice, of the wrong kind."""
    shapes: list[Any] = [
        [{"key": f"k{number}", "value": "v"} for number in range(5_000)],
        [{"key": "k", "value": "v" * 100_001}],
        [{"key": "\x00", "value": "\x00"}],
        [{"key": "k", "value": "\x00"}],
        [{"key": "k", "value": None}],
        [[]],
        [{"key": ["k"], "value": {}}],
        {"key": "k"},
        "k",
    ]
    for tags in shapes:
        body = {"name": "tagged", "tags": tags}
        await check(registry, "POST", "/api/2.0/mlflow/registered-models/create", body=body)


async def test_what_mlflow_tolerates_is_taken(registry: Registry) -> None:
    """CamelCase names, unknown fields, a doubly encoded body."""
    await registry.model("old")
    path = "/api/2.0/mlflow/registered-models/rename"
    reply = await registry.ask("POST", path, {"name": "old", "newName": "new", "more": 1})
    assert reply.status == 200
    raw = msgspec.json.encode(msgspec.json.encode({"name": "new", "new_name": "newer"}).decode())
    assert (await registry.ask("POST", path, raw=raw)).status == 200
