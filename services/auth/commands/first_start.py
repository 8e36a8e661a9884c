"""The first start of an installation: a tenant, its owner, a token, a signing key, an operator."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from libs.common.contracts.auth import Tenant, TenantCreated, TokenIssued, User, UserCreated
from libs.common.contracts.plans import FIRST_PLAN
from libs.common.database import Connection
from libs.common.events.outbox import Caused, Recording, UnitOfWork, unit_of_work
from libs.common.failpoints import reach
from libs.common.service import Running
from libs.common.settings import SettingsError
from services.auth.commands.facts import token_state
from services.auth.commands.keys import ensure_signing_key
from services.auth.commands.operators import ensure_operator
from services.auth.commands.secret_files import SecretUnwritable, write_secret
from services.auth.commands.workspaces import begin_workspaces
from services.auth.model.credential import ALL_SCOPES, FIRST_WORKSPACE, subject_of
from services.auth.model.secrets import digest, new_secret
from services.auth.model.tokens import FIRST_TOKEN_DAYS
from services.auth.queries.owners import eldest_owner, first_tenant
from services.auth.store.identity import (
    NewToken,
    StoredToken,
    add_member,
    add_tenant,
    add_token,
    has_tenant,
    lock_once,
)

TENANT: Final = "default"
OWNER: Final = "owner"
_VARIABLE: Final = "AUTH_FIRST_TOKEN_FILE"


class NothingBegun(SettingsError):
    """There is no installation, or nobody in it, that another first token could be for."""


@dataclass(frozen=True, slots=True)
class _Owner:
    tenant_id: UUID
    tenant_no: int
    user_id: UUID


async def begin_once(
    running: Recording, encryption_key: bytes, token_file: str, operator_file: str
) -> bool:
    """Make the first tenant, owner, token and signing key unless they exist; whether it did.

    An installation from before there were operators gets its operator here too.

    The token's file is in place before COMMIT: a crash in between leaves a file whose token is
    unknown, and the next start writes it anew. The other order could leave an installation that
    nobody can enter.
    """
    async with running.database.transaction() as connection:
        await lock_once(connection)
        await ensure_signing_key(connection, encryption_key)
        await ensure_operator(connection, operator_file)
        if await has_tenant(connection):
            return False
        if not token_file:
            raise SecretUnwritable(f"Set {_VARIABLE}: the first token goes there.")
        owner = _Owner(uuid4(), 0, uuid4())
        number = await add_tenant(connection, owner.tenant_id, TENANT, FIRST_PLAN)
        owner = _Owner(owner.tenant_id, number, owner.user_id)
        await add_member(connection, number, owner.user_id, OWNER, OWNER)
        secret = await _first_token(running, connection, owner)
        reach("first-start.before-file")
        write_secret(Path(token_file), secret, _VARIABLE)
        reach("first-start.before-commit")
    reach("first-start.after-commit")
    running.wake_relay()
    return True


async def replace_first_token(running: Running) -> str:
    """Leave another first token in its file, for when the one there has expired or is lost.

    Whoever may run this has the database and the signing keys anyway. It speaks for an owner of the
    first tenant; the token before it is not ended, as it may be in use. Raises SettingsError where
    there is nowhere to leave it, or nobody whom it could speak for.
    """
    token_file = running.settings.first_token_file
    if not token_file:
        raise SecretUnwritable(f"Set {_VARIABLE}: the first token goes there.")
    first = await first_tenant(running.database)
    if first is None:
        raise NothingBegun(
            "This installation has not begun; its first start makes the first token."
        )
    acting = Caused(str(first.tenant_id), first.tenant_no, "maestro-first-token")
    async with unit_of_work(running, acting) as work:
        user_id = await eldest_owner(work.connection, first.tenant_no)
        if user_id is None:
            raise NothingBegun("The first tenant has no active owner whom a token could speak for.")
        owner = _Owner(first.tenant_id, first.tenant_no, user_id)
        secret, stored = await _add_first_token(work.connection, owner)
        work.record(TokenIssued(version=stored.version, token=token_state(stored)))
        # Before COMMIT, as at the first start: a token in a file that is unknown does no harm.
        write_secret(Path(token_file), secret, _VARIABLE)
    return f"A new first token, for {FIRST_TOKEN_DAYS} days, is in {token_file}"


async def _add_first_token(connection: Connection, owner: _Owner) -> tuple[str, StoredToken]:
    secret = new_secret()
    stored = await add_token(
        connection,
        owner.tenant_no,
        NewToken(
            token_id=uuid4(),
            digest=digest(secret),
            name="first",
            user_id=owner.user_id,
            workspace_id=FIRST_WORKSPACE,
            scopes=ALL_SCOPES,
            expires_in_days=FIRST_TOKEN_DAYS,
        ),
    )
    return secret, stored


async def _first_token(running: Recording, connection: Connection, owner: _Owner) -> str:
    secret, stored = await _add_first_token(connection, owner)
    tenant = str(owner.tenant_id)
    caused = Caused(tenant, owner.tenant_no, subject_of(owner.user_id))
    work = UnitOfWork(connection, caused)
    work.record(
        TenantCreated(
            version=1,
            tenant=Tenant(
                tenant=tenant,
                tenant_no=owner.tenant_no,
                name=TENANT,
                status="active",
                plan=FIRST_PLAN,
            ),
        )
    )
    work.record(
        UserCreated(
            version=1,
            user=User(user_id=str(owner.user_id), login=OWNER, role=OWNER, status="active"),
        )
    )
    work.record(TokenIssued(version=stored.version, token=token_state(stored)))
    await begin_workspaces(work)
    await work.flush(running)
    return secret
