"""Trials of revocation: somebody at work on two gateways is revoked, and asked for the last answer."""

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import aiohttp

from libs.common.contracts.auth import TokenIssued, User, UserCreated
from libs.common.events.outbox import Caused, UnitOfWork, unit_of_work
from libs.common.runner import running
from libs.common.service import Running
from libs.embedded.ports import HOST
from services import service
from services.auth.commands.access import access_changed
from services.auth.commands.facts import token_state
from services.auth.model.credential import ALL_SCOPES, FIRST_WORKSPACE, subject_of
from services.auth.model.secrets import digest, new_secret
from services.auth.store.identity import NewToken, add_member, add_token
from tests.deployments import Deployment, answers, deployed, module_process

# A trial ends when nothing but refusals came for so long, on both gateways.
QUIET_SECONDS: Final = 0.3
PAUSE_SECONDS: Final = 0.005
PATIENCE_SECONDS: Final = 90.0
KINDS: Final = ("token", "role", "member")
_EXPERIMENT: Final = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# Without a role nobody may list tokens, not even their own.
PATHS: Final = {"token": _EXPERIMENT, "member": _EXPERIMENT, "role": "/api/maestro/v1/tokens"}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Trial:
    """What was revoked, and the seconds from the revoking call's answer to the last 200.

    `begun_at` and `ended_at` are when it was answered and when nothing came any more.
    """

    kind: str
    seconds: float
    begun_at: float
    ended_at: float


@dataclass
class Watcher:
    """Asks one gateway over and over in somebody's name."""

    ask: Callable[[], Awaitable[int]]
    allowed_at: float = 0.0
    refused: int = 0
    enough: bool = False

    async def run(self) -> None:
        """Ask until it is enough."""
        while not self.enough:
            if await self.ask() == 200:
                self.allowed_at, self.refused = time.monotonic(), 0
            else:
                self.refused += 1
            await asyncio.sleep(PAUSE_SECONDS)

    @property
    def quiet(self) -> bool:
        """Whether it has been refused for long enough."""
        return self.refused > 3 and time.monotonic() - self.allowed_at > QUIET_SECONDS


@dataclass
class Scene:
    """Two gateways over all services, each a process; and auth's commands, for what has no route.

    A token is ended over HTTP. A member's role and status are changed by the same unit of work as
    a command's, in this process, on auth's database.
    """

    deployment: Deployment
    urls: tuple[str, str]
    auth: Running
    session: aiohttp.ClientSession
    tenant: Caused
    trials: list[Trial] = field(default_factory=list)

    async def trial(self, kind: str) -> Trial:
        """Let somebody work on both gateways, revoke it, and see the last answer."""
        token_id, user_id, secret = await (self._token() if kind == "token" else self._member())
        path = PATHS[kind]
        watchers = [Watcher(partial(self.status, url + path, secret)) for url in self.urls]
        tasks = [asyncio.create_task(watcher.run()) for watcher in watchers]
        try:
            await until(lambda: all(watcher.allowed_at for watcher in watchers))
            await self._revoke(kind, token_id, user_id)
            answered_at = time.monotonic()
            await until(lambda: all(watcher.quiet for watcher in watchers))
        finally:
            for watcher in watchers:
                watcher.enough = True
            await asyncio.gather(*tasks)
        last = max(watcher.allowed_at for watcher in watchers)
        found = Trial(kind, max(0.0, last - answered_at), answered_at, time.monotonic())
        self.trials.append(found)
        return found

    async def status(self, url: str, secret: str) -> int:
        """The status of a GET in somebody's name."""
        login = {"Authorization": f"Bearer {secret}"}
        try:
            async with self.session.get(url, headers=login) as reply:
                await reply.read()
                return reply.status
        except aiohttp.ClientError:  # cut in the middle of its answer
            return 0

    async def own(self, method: str, path: str = "", body: object = None) -> Any:
        """A request about tokens by the owner, which must succeed."""
        async with self.session.request(
            method,
            f"{self.urls[0]}/api/maestro/v1/tokens{path}",
            headers={"Authorization": f"Bearer {self.deployment.token}"},
            json=body,
        ) as reply:
            assert reply.status in (200, 201, 204), await reply.text()
            return await reply.json() if reply.status != 204 else None

    async def new_token(self) -> tuple[str, str]:
        """A token of the owner: its id and its secret."""
        made = await self.own("POST", body={"name": "trial"})
        return made["id"], made["token"]

    async def revoke_token(self, token_id: str) -> None:
        """End it over HTTP, on the first gateway."""
        await self.own("DELETE", f"/{token_id}")

    async def revoked_by(self, path: str) -> list[int]:
        """How many revocations each gateway learnt of first by a path."""
        return [await self._counted(url, path) for url in self.urls]

    async def _counted(self, url: str, path: str) -> int:
        name = f'maestro_gateway_revoked_total{{path="{path}"}} '
        async with self.session.get(f"{url}/metrics") as reply:
            lines = (await reply.text()).splitlines()
        return sum(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))

    async def _token(self) -> tuple[str, UUID | None, str]:
        token_id, secret = await self.new_token()
        return token_id, None, secret

    async def _member(self) -> tuple[str, UUID | None, str]:
        user_id, secret, login = uuid4(), new_secret(), f"member-{next(_numbers)}-{uuid4().hex[:8]}"
        new = NewToken(
            token_id=uuid4(),
            digest=digest(secret),
            name="trial",
            user_id=user_id,
            workspace_id=FIRST_WORKSPACE,
            scopes=ALL_SCOPES,
            expires_in_days=1,
        )
        async with unit_of_work(self.auth, self.tenant) as work:
            role, number = "contributor", self.tenant.tenant_no
            await add_member(work.connection, number, user_id, login, role)
            stored = await add_token(work.connection, number, new)
            user = User(user_id=str(user_id), login=login, role=role, status="active")
            work.record(UserCreated(version=1, user=user))
            work.record(TokenIssued(version=1, token=token_state(stored)))
        return str(new.token_id), user_id, secret

    async def _revoke(self, kind: str, token_id: str, user_id: UUID | None) -> None:
        if user_id is None:
            await self.revoke_token(token_id)
            return
        async with unit_of_work(self.auth, self.tenant) as work:
            await _change(work, kind, user_id)
            await access_changed(work, [user_id])


async def _change(work: UnitOfWork, kind: str, user_id: UUID) -> None:
    changed = "role = NULL" if kind == "role" else "status = 'suspended'"
    await work.connection.execute(
        f"UPDATE memberships SET {changed} WHERE tenant_no = $1 AND user_id = $2",
        work.acting.tenant_no,
        user_id,
    )


@asynccontextmanager
async def scene(environment: Mapping[str, str], logs: Path) -> AsyncIterator[Scene]:
    """All services and two gateways as processes on the parts of `environment`, ready."""
    given = {**environment, "MAESTRO_LOG_LEVEL": "WARNING"}
    async with (
        deployed(given, logs, separate=True) as deployment,
        second_gateway(deployment, logs) as second,
        aiohttp.ClientSession() as session,
        running(_silent_auth(), {**given, "MAESTRO_INSTANCE": "trials"}, {}) as (auth, _),
    ):
        tenant = await _first_tenant(auth)
        found = Scene(deployment, (deployment.url, second), auth, session, tenant)
        # Until the broadcast is heard, which is for as long as it takes to connect.
        while not all(await found.revoked_by("broadcast")):
            token_id, _ = await found.new_token()
            await found.revoke_token(token_id)
            await asyncio.sleep(0.2)
        yield found


def _silent_auth() -> Any:
    # Its commands alone: the auth that serves hears, beats and relays.
    return replace(service("auth"), subscriptions=(), workers=())


async def _first_tenant(auth: Running) -> Caused:
    row = await auth.database.fetchrow("SELECT tenant_no, tenant_id::text AS id FROM tenants")
    assert row is not None
    return Caused(row["id"], row["tenant_no"], subject_of(uuid4()))


@asynccontextmanager
async def second_gateway(deployment: Deployment, logs: Path) -> AsyncIterator[str]:
    """Another gateway before the same services; its address."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = int(probe.getsockname()[1])
    given = {
        **deployment.environment,
        "GATEWAY_PORT": str(port),
        "MAESTRO_INSTANCE": "second-gateway",
    }
    folder = logs / "second"
    folder.mkdir(exist_ok=True)
    process = module_process("services.gateway", given, folder)
    process.spawn()
    try:
        await process.until(lambda: answers(port, "/ready"), within=60)
        yield f"http://{HOST}:{port}"
    finally:
        await process.stop()


async def until(check: Callable[[], bool]) -> None:
    """Wait for a condition that the bench cannot go on without."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not check():
            await asyncio.sleep(0.01)
