"""A person's own password."""

from fastapi import APIRouter

from libs.common.http.own import Caller, Here, guarded
from services.auth.commands.passwords import change_password
from services.auth.schemas.passwords import NewPasswordBody
from services.auth.state import State

router = APIRouter(prefix="/api/maestro/v1/password", tags=["passwords"])


@router.put("", status_code=204, **guarded("token.own"))
async def put_password(body: NewPasswordBody, caller: Caller, running: Here) -> None:
    """Set the password that you sign in with as `tenant/login`; your tokens go on working."""
    state: State = running.state
    old = None if body.old is None else body.old.get_secret_value()
    await change_password(running, state.passwords, caller, old, body.new.get_secret_value())
