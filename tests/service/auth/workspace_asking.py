"""Asking auth about workspaces, and what its deletions meet at the owners of resources."""

from typing import Any
from uuid import UUID, uuid4

import msgspec

from libs.common.http.calling import Reply, call
from libs.common.http.types import Receive, Scope, Send
from libs.common.principal import PRINCIPAL_HEADER, Principal, Verifier
from libs.common.workspaces import CONTENTS_PATH, Contents
from services.auth.model.secrets import digest
from services.auth.store.identity import NewToken
from tests.service.auth.installation import Auth

PATH = "/api/3.0/mlflow/workspaces"


class Owner:
    """tracking or the registry: says what a workspace holds, to whom auth vouches for."""

    def __init__(self, name: str, auth: Auth, kind: str) -> None:
        self.verifier = Verifier(name, auth.running.state.keys.key_set)
        self.contents = Contents(kind, 0)
        self.callers: list[Principal] = []
        self.away = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the one question."""
        assert scope["path"] == CONTENTS_PATH
        if self.away:
            raise ConnectionRefusedError("away")
        raw = dict(scope["headers"])[PRINCIPAL_HEADER.encode()].decode()
        self.callers.append(await self.verifier.verify(raw))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": msgspec.json.encode(self.contents)})


def new_token_of(secret: str, user_id: UUID, workspace_id: int = 1) -> NewToken:
    """What is stored of a token of a member."""
    return NewToken(
        token_id=uuid4(),
        digest=digest(secret),
        name="test",
        user_id=user_id,
        workspace_id=workspace_id,
        scopes=("*",),
        expires_in_days=1,
    )


async def ask(
    auth: Auth,
    method: str,
    name: str = "",
    body: object = None,
    *,
    token: str = "",
    query: str = "",
) -> Reply:
    """A request to the workspace API by the owner, or by whom `token` speaks for."""
    principal = await auth.principal(token or auth.first_token)
    return await call(
        auth.app,
        method,
        f"{PATH}/{name}" if name else PATH,
        headers=[(PRINCIPAL_HEADER, principal), ("content-type", "application/json")],
        query=query,
        body=b"" if body is None else msgspec.json.encode(body),
        timeout=30,
    )


async def rows(auth: Auth) -> dict[str, Any]:
    """The tenant's workspaces as stored, the youngest of each name."""
    async with auth.running.database.reading(1) as connection:
        found = await connection.fetch("SELECT * FROM workspaces ORDER BY workspace_id")
    return {row["name"]: row for row in found}


def told(reply: Reply) -> tuple[int, str, str]:
    """Status, code and message of a refusal."""
    content = msgspec.json.decode(reply.body)
    return reply.status, content["error_code"], content["message"]


async def names(auth: Auth, token: str = "") -> list[str]:
    """The names that a caller is shown."""
    reply = await ask(auth, "GET", token=token)
    assert reply.status == 200
    return [one["name"] for one in msgspec.json.decode(reply.body).get("workspaces", [])]
