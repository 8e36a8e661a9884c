"""What the registry meets: auth that exchanges principals, and tracking that owns runs and models.

Tracking answers reads over HTTP, and tells facts on the real broker, as the real one does; each
can be told to stay silent.
"""

import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import jwt
import msgspec

from libs.common.bus.link import Producer
from libs.common.contracts import auth, tracking
from libs.common.contracts.topic import Topic
from libs.common.events.envelope import headers
from libs.common.http.types import Receive, Scope, Send
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.service import Service
from tests.serving import Client
from tests.signing import Signer, Tenant
from tests.waiting import eventually


async def _nobody(*_: object) -> None:
    """The surface of a service that only tells facts."""


def _told_by(name: str, *topics: Topic) -> Service:
    return Service(name=name, settings=None, api=lambda _: _nobody, publishes=topics)


# The registry hears them, so their topics must be there.
PRODUCERS = (
    _told_by("auth", auth.TENANTS, auth.USERS, auth.TOKENS, auth.ACCESS, auth.WORKSPACES),
    _told_by("tracking", tracking.EXPERIMENTS, tracking.RUNS, tracking.LOGGED_MODELS),
)


async def know_tenant(client: Client) -> None:
    """Let the client's service know its tenant, as auth's fact would: republish walks over them."""
    async with client.running.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO known_tenants (tenant_no, tenant, name, status, version)"
            " VALUES ($1, $2, 't', 'active', 1)",
            client.tenant.number,
            client.tenant.id,
        )


async def _answer(send: Send, status: int, content: object) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": msgspec.json.encode(content)})


@dataclass
class Auth:
    """auth: publishes the signer's key and exchanges a principal for another audience."""

    signer: Signer
    secret: str
    answer: int = 200
    exchanges: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the token endpoint; everything else is the published key set."""
        if scope["path"] != "/internal/token":
            await self.signer(scope, receive, send)
            return
        self.exchanges += 1
        form = parse_qs((await receive())["body"].decode())
        claims = jwt.decode(form["subject_token"][0], options={"verify_signature": False})
        if self.answer != 200 or claims["aud"] != "registry":
            refused = self.answer == 400
            await _answer(send, self.answer, {"error": "x", "credential_refused": refused})
            return
        tenant = Tenant(claims["tno"], claims["tenant"])
        carried = {name: claims[name] for name in ("sub", "scope", "pep")}
        token = self.signer.principal(
            tenant, form["audience"][0], workspace_id=claims["ws"], **carried
        )
        await _answer(send, 200, {"access_token": token, "expires_in": 60})


@dataclass
class Tracking:
    """tracking: what it owns by tenant; `reads` counts what it was asked over HTTP.

    `answers` are those to single subjects about single ids, where they are others than the usual.
    """

    producer: Producer
    owned: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    away: bool = False
    answers: dict[tuple[str, str], tuple[int, Any]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a read of a run or logged model of the caller."""
        if self.away:
            raise ConnectionRefusedError
        given = dict(scope["headers"])[PRINCIPAL_HEADER.encode()].decode()
        claims = jwt.decode(given, options={"verify_signature": False})
        assert claims["aud"] == "tracking"
        if "/mlflow-artifacts/artifacts/" in scope["path"]:
            await self._file(scope, send)
            return
        name = scope["path"].rpartition("/")[2]
        if name == "get":
            name = parse_qs(scope["query_string"].decode())["run_id"][0]
        self.reads.append(name)
        found = self.owned.get((claims["tno"], name))
        missing = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": name}
        usual = (404, missing) if found is None else (200, found)
        await _answer(send, *self.answers.get((claims["sub"], name), usual))

    async def _file(self, scope: Scope, send: Send) -> None:
        """A file in two pieces, which says where it was asked for and for which part."""
        part = dict(scope["headers"]).get(b"range", b"all")
        start = {"type": "http.response.start", "status": 200}
        await send({**start, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": part + b" of ", "more_body": True})
        await send({"type": "http.response.body", "body": scope["raw_path"]})

    def run(self, tenant: Tenant, *, experiment_id: str = "0") -> tracking.Run:
        """A new run that nobody has been told of."""
        run_id = uuid.uuid4().hex
        uri = f"mlflow-artifacts:/{experiment_id}/{run_id}/artifacts"
        info = {"run_id": run_id, "artifact_uri": uri}
        self.owned[tenant.number, run_id] = {"run": {"info": info, "data": {}}}
        return tracking.Run(
            run_id=run_id,
            workspace_id=1,
            experiment_id=experiment_id,
            name="a run",
            status="RUNNING",
            lifecycle_stage="active",
            artifact_uri=uri,
        )

    def logged_model(self, tenant: Tenant, source_run_id: str = "") -> tracking.LoggedModel:
        """A new logged model that nobody has been told of."""
        model_id = f"m-{uuid.uuid4().hex}"
        uri = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
        info = {"model_id": model_id, "artifact_uri": uri, "source_run_id": source_run_id}
        self.owned[tenant.number, model_id] = {"model": {"info": info}}
        return tracking.LoggedModel(
            model_id=model_id,
            workspace_id=1,
            experiment_id="0",
            name="a model",
            artifact_uri=uri,
            status="PENDING",
            source_run_id=source_run_id,
        )

    async def tell(self, tenant: Tenant, topic: Topic, fact: msgspec.Struct) -> None:
        """Publish a fact and wait until the broker holds it."""
        key = topic.key(fact)

        async def sent() -> bool:
            future = await self.producer.publish(
                topic.name,
                f"{tenant.id}/{key}".encode(),
                msgspec.json.encode(fact),
                headers(
                    event_id=uuid.uuid4(),
                    type_name=topic.type_of(type(fact)),
                    service="tracking",
                    key=key,
                    tenant=tenant.id,
                    tenant_no=tenant.number,
                    subject="tester",
                    version=getattr(fact, "version"),  # noqa: B009 - every fact has one
                    time="2026-01-01T00:00:00+00:00",
                    traceparent="",
                ),
            )
            await future
            return True

        await eventually(sent, within=20)
