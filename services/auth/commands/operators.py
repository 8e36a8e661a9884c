"""The platform's operator comes to be: a member of no tenant, with a token of its own."""

from pathlib import Path
from typing import Final
from uuid import uuid4

from libs.common.database import Connection
from services.auth.commands.secret_files import write_secret
from services.auth.model.secrets import OPERATOR_PREFIX, digest, new_secret
from services.auth.store.tenants import add_operator, has_operator

VARIABLE: Final = "AUTH_OPERATOR_TOKEN_FILE"


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
