"""Workspaces that are being deleted: each service with resources moves them or puts them away.

auth's fact leaves a row; a worker sweeps the workspace in batches of their own transactions, tells
that it is cleared, and sweeps once more when no principal from before the deletion can live.
Everything may be done twice: a batch finds what is still there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from libs.common.contracts.auth import WORKSPACES, WorkspaceDeleted
from libs.common.database import Connection
from libs.common.errors import Refusal
from libs.common.events.envelope import Event
from libs.common.events.outbox import UnitOfWork
from libs.common.principal import LEEWAY_SECONDS, LIFETIME_SECONDS, Principal
from libs.common.service import Running, Subscription
from libs.common.telemetry.logs import logger
from libs.common.workspaces import DEFAULT_ID

TABLE: Final = "leaving_workspaces"
WHY_PLATFORM: Final = "platform: which workspaces are being cleared, for a worker of all tenants"
LOOK_SECONDS: Final = 0.5
# Longer than a principal minted just before the deletion is accepted anywhere.
AGAIN_AFTER_SECONDS: Final = LIFETIME_SECONDS + LEEWAY_SECONDS + 60

_LEARN: Final = """
INSERT INTO leaving_workspaces (tenant_no, workspace_id, tenant, name, mode, subject, version)
VALUES ($1, $2, $3::uuid, $4, $5, $6, $7)
ON CONFLICT (tenant_no, workspace_id) DO NOTHING
"""
# Held until the sweep has ended: other processes take other workspaces. In no order, so that one
# that cannot be cleared holds up no other.
_TAKE: Final = """
SELECT tenant_no, workspace_id, tenant::text AS tenant, name, mode, subject, version,
       swept_at IS NOT NULL AS swept
FROM leaving_workspaces
WHERE swept_at IS NULL OR swept_at < now() - make_interval(secs => $1)
ORDER BY random() LIMIT 1
FOR UPDATE SKIP LOCKED
"""
_SWEPT: Final = """
UPDATE leaving_workspaces SET swept_at = now() WHERE tenant_no = $1 AND workspace_id = $2
"""
_FORGET: Final = "DELETE FROM leaving_workspaces WHERE tenant_no = $1 AND workspace_id = $2"
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A workspace that is being deleted, and on whose word; `version` is that of the deletion."""

    tenant_no: int
    workspace_id: int
    tenant: str
    name: str
    mode: str
    subject: str
    version: int
    swept: bool

    @property
    def puts_away(self) -> bool:
        """Whether what it holds is put away; otherwise it moves to the default workspace.

        A workspace that had to be empty may hold what was written while it was deleted: nobody
        asked for that to be lost.
        """
        return self.mode == "CASCADE"

    def acting(self, workspace_id: int = DEFAULT_ID) -> Principal:
        """Whom facts and rows name: who deleted the workspace, without rights or a token."""
        return Principal(
            tenant=self.tenant,
            tenant_no=self.tenant_no,
            workspace_id=workspace_id,
            subject=self.subject,
            actor="workspace-deletion",
            scopes=(),
            audience="",
            epoch=0,
            expires_at=0,
            token="",
        )

    def name_beside(self, name: str) -> str:
        """What a resource is called in the default workspace where its own name is taken there."""
        return f"{name} (from {self.name})"


Sweep = Callable[[Running, Leaving], Awaitable[None]]
Cleared = Callable[[Leaving], msgspec.Struct]


async def _learn(work: UnitOfWork, event: Event) -> None:
    deleted: WorkspaceDeleted = event.fact
    workspace = deleted.workspace
    await work.connection.execute(
        _LEARN,
        *(event.tenant_no, workspace.workspace_id, event.tenant, workspace.name),
        *(deleted.mode, event.subject, deleted.version),
    )


# Listed by every service that has resources in workspaces.
WORKSPACES_LEAVE: Final = Subscription(
    name="workspaces", topics=(WORKSPACES,), handlers={WorkspaceDeleted: _learn}
)


async def clear_for_ever(running: Running, sweep: Sweep, cleared: Cleared) -> None:
    """Sweep workspaces as they are deleted; what fails is tried again."""
    while True:
        try:
            while await _clear_one(running, sweep, cleared):
                pass
        except Refusal as problem:
            _log.warning("workspace_not_cleared", error=problem.message)
        except Exception:  # noqa: BLE001 - a fault of one workspace must not end the worker
            _log.exception("workspace_not_cleared")
        await asyncio.sleep(LOOK_SECONDS)


async def _clear_one(running: Running, sweep: Sweep, cleared: Cleared) -> bool:
    """Sweep one workspace that is due; whether there was one."""
    async with running.database.transaction() as connection:
        row = await connection.fetchrow(_TAKE, float(AGAIN_AFTER_SECONDS))
        if row is None:
            return False
        leaving = Leaving(**dict(row))
        await sweep(running, leaving)
        await _note(running, connection, leaving, cleared)
    running.wake_relay()
    return True


async def _note(
    running: Running, connection: Connection, leaving: Leaving, cleared: Cleared
) -> None:
    work = UnitOfWork(connection, leaving.acting())
    if leaving.swept:
        work.silent("it was told when it was swept first")
    else:
        work.record(cleared(leaving))
    await connection.execute(
        _FORGET if leaving.swept else _SWEPT, leaving.tenant_no, leaving.workspace_id
    )
    await work.flush(running)
