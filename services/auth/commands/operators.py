"""The platform's operator, a member of no tenant: comes to be with a token, and replaces it."""

from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from libs.common.database import Connection
from libs.common.errors import unauthenticated
from libs.common.events.outbox import Recording
from libs.common.principal import Principal
from services.auth.commands.secret_files import write_secret
from services.auth.model.credential import operator_actor
from services.auth.model.secrets import OPERATOR_PREFIX, digest, new_secret
from services.auth.store.revocations import note_revocation
from services.auth.store.tenants import (
    add_operator,
    has_operator,
    lock_operator,
    replace_digest,
)

VARIABLE: Final = "AUTH_OPERATOR_TOKEN_FILE"


async def rotate_operator(running: Recording, operator: Principal) -> str:
    """Another token for the operator; the one in use ends. The new secret is known only now.

    A silent write: the operator is of no tenant whose facts could tell of it. Gateways learn from
    the feed, whose number the next heartbeat names.
    """
    operator_id, secret = UUID(operator.subject.partition(":")[2]), new_secret(OPERATOR_PREFIX)
    async with running.database.transaction() as connection:
        before = await lock_operator(connection, operator_id)
        if before is None or operator_actor(operator_id, before) != operator.actor:
            raise unauthenticated("The operator's token you use was replaced; use the new one.")
        await replace_digest(connection, operator_id, digest(secret))
        await note_revocation(connection, operator.tenant_no, "token", operator.actor)
    return secret


async def ensure_operator(connection: Connection, token_file: str) -> bool:
    """Make the operator, in the caller's transaction, unless there is one; whether it did.

    Without a place for its token there is none. The file is in place before COMMIT, as that of the
    first token. A silent write: the operator is of no tenant whose facts could tell of it.
    """
    if not token_file or await has_operator(connection):
        return False
    secret = new_secret(OPERATOR_PREFIX)
    await add_operator(connection, uuid4(), digest(secret))
    write_secret(Path(token_file), secret, VARIABLE)
    return True
