"""Manners: who may come in, how much they may bring, and what they hear when something is wrong."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace

from libs.common.errors import Refusal, denied, missing, unauthenticated, unavailable
from libs.common.http.calling import Reply, call
from libs.common.http.manners import Limits, Manners
from libs.common.http.types import ASGIApp, Message, Receive, Scope, Send
from libs.common.telemetry.tracing import Tracing

ANYONE = Limits(hosts=("*",), origins=("*",))
Inside = Callable[[Scope, Receive, Send], Any]


def mannered(app: Inside, limits: Limits = ANYONE) -> ASGIApp:
    """`app` behind manners, without traces."""
    return Manners(
        app, service="probe", tracing=Tracing(trace.NoOpTracer(), enabled=False), limits=limits
    )


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def failing(problem: BaseException) -> Inside:
    """An app that raises."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise problem

    return app


async def write(
    limits: Limits, path: str = "/x", method: str = "POST", body: bytes = b"", **headers: str
) -> Reply:
    """One request to an app behind `limits`."""
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return await call(mannered(echo, limits), method, path, headers=given, body=body)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:80", "ml.lan"]
)
async def test_loopback_and_named_hosts_are_served(host: str) -> None:
    assert (await write(Limits(hosts=("ml.lan",)), host=host)).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "localhost.evil.example", "", "[", "a b", "[::2]"]
)
async def test_other_hosts_are_refused_as_rebound_names_would_be(host: str) -> None:
    reply = await write(Limits(hosts=("ml.lan",)), host=host)
    assert reply.status == 403
    assert json.loads(reply.body)["error_code"] == "PERMISSION_DENIED"


async def test_without_a_host_nothing_is_served() -> None:
    assert (await write(Limits())).status == 403


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8765", 200),
        ("https://notebook.lan", 200),
        ("http://evil.example", 403),
        ("http://localhost:9999", 403),
        ("http://localhost:8765.evil.example", 403),
        ("null", 403),
        ("", 403),
        ("http://[", 403),
    ],
)
async def test_a_page_from_elsewhere_may_not_write(origin: str, status: int) -> None:
    limits = Limits(origins=("https://notebook.lan",))
    assert (await write(limits, host="localhost:8765", origin=origin)).status == status


async def test_a_page_from_elsewhere_may_read() -> None:
    reply = await write(Limits(), method="GET", host="localhost", origin="http://evil.example")
    assert reply.status == 200


async def test_an_origin_without_a_host_may_not_write() -> None:
    assert (await write(Limits(hosts=("*",)), origin="null")).status == 403


async def test_a_body_up_to_the_limit_is_taken() -> None:
    reply = await write(Limits(hosts=("*",), body_bytes=10), body=b"x" * 10)
    assert reply.body == b"x" * 10


@pytest.mark.parametrize(
    "declared", [None, b"0", b"5", b"10", b"-1", b"+5", b"\xb2", b"many", b"9" * 5000, b"1e3"]
)
async def test_a_body_past_the_limit_is_refused_whatever_its_length_claims(
    declared: bytes | None,
) -> None:
    app = mannered(echo, Limits(hosts=("*",), body_bytes=10))
    reply = await ask_in_parts(app, [b"x" * 6, b"x" * 6], declared)
    assert reply.status == 413
    assert json.loads(reply.body)["error_code"] == "INVALID_PARAMETER_VALUE"
    assert reply.headers["connection"] == "close"


async def test_a_length_past_the_limit_is_refused_before_the_body_is_read() -> None:
    read: list[Message] = []
    app = mannered(echo, Limits(hosts=("*",), body_bytes=10))
    reply = await ask_in_parts(app, [b"x"], b"11", read)
    assert (reply.status, read) == (413, [])


async def ask_in_parts(
    app: ASGIApp, parts: list[bytes], declared: bytes | None, read: list[Message] | None = None
) -> Reply:
    """A POST whose body comes in parts and whose Content-Length is what one says it is."""
    sent: list[Message] = []
    left = list(parts)

    async def receive() -> Message:
        message = {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}
        if read is not None:
            read.append(message)
        return message

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost")]
    headers += [] if declared is None else [(b"content-length", declared)]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "query_string": b"",
        "headers": headers,
    }
    await app(scope, receive, send)
    start, body = sent
    return Reply(
        start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, body["body"]
    )


async def test_a_plain_request_id_is_kept_and_handed_on() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen = [value for name, value in scope["headers"] if name == b"x-request-id"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b",".join(seen)})

    reply = await call(mannered(app), "GET", "/", headers=[("X-Request-Id", "job-7.a_B")])
    assert reply.body == b"job-7.a_B"
    assert reply.headers["x-request-id"] == "job-7.a_B"


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "a\r\nset-cookie: b", "é", '"><script>'])
async def test_an_odd_request_id_is_replaced(odd: str) -> None:
    reply = await call(mannered(echo), "GET", "/", headers=[("X-Request-Id", odd)])
    assert len(reply.headers["x-request-id"]) == 32


async def test_refusals_read_as_mlflows_errors() -> None:
    reply = await call(mannered(failing(missing("Run 'a' not found"))), "GET", "/api/2.0/mlflow/x")
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/json"
    assert json.loads(reply.body) == {
        "error_code": "RESOURCE_DOES_NOT_EXIST",
        "message": "Run 'a' not found",
    }


async def test_refusals_of_our_own_api_are_problem_details() -> None:
    reply = await call(mannered(failing(denied("Not yours"))), "GET", "/api/maestro/v1/tokens")
    assert reply.headers["content-type"] == "application/problem+json"
    problem = json.loads(reply.body)
    assert (problem["status"], problem["detail"]) == (403, "Not yours")
    assert problem["code"] == "PERMISSION_DENIED"


async def test_refusals_say_when_to_come_back_and_how_to_log_in() -> None:
    away = await call(mannered(failing(unavailable("Away", retry_after=2))), "GET", "/")
    assert (away.status, away.headers["retry-after"]) == (503, "2")
    stranger = await call(mannered(failing(unauthenticated("Who?"))), "GET", "/")
    assert "Basic" in stranger.headers["www-authenticate"]


@pytest.mark.parametrize("problem", [None, missing("x")])
async def test_what_an_app_adds_stands_once_in_every_answer(problem: Refusal | None) -> None:
    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        scope["answer_headers"].append((b"x-inner", b"1"))
        await (
            echo(scope, receive, send)
            if problem is None
            else failing(problem)(scope, receive, send)
        )

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["answer_headers"].append((b"x-outer", b"1"))
        await mannered(inner)(scope, receive, send)

    raw: list[bytes] = []

    async def send(message: Message) -> None:
        raw.extend(name for name, _ in message.get("headers", ()))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    await mannered(outer)(scope, receive, send)
    assert (raw.count(b"x-outer"), raw.count(b"x-inner")) == (1, 1)


@pytest.mark.parametrize("path", ["/api/2.0/mlflow/x", "/api/maestro/v1/x"])
async def test_what_nobody_foresaw_is_a_500_without_its_insides(path: str) -> None:
    reply = await call(mannered(failing(KeyError("secret column"))), "GET", path)
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert reply.headers["x-request-id"].encode() in reply.body


async def test_an_answer_under_way_is_cut_rather_than_finished_wrongly() -> None:
    async def breaks_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise Refusal("INTERNAL_ERROR", "lost")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    with pytest.raises(ConnectionAbortedError):
        await mannered(breaks_off)(scope, _no_more, send)
    assert [message.get("body") for message in sent] == [None, b"half"]


async def _no_more() -> Message:
    return {"type": "http.disconnect"}
