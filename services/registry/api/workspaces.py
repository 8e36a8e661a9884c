"""What a workspace holds, told to auth before it deletes one; the gateway has no route to it."""

from typing import Final

from libs.common.access.guard import insist_everywhere
from libs.common.http.routes import Call, Routes
from libs.common.workspaces import CONTENTS_PATH
from services.registry.queries.workspaces import contents

routes: Final = Routes()


@routes.plain("GET", CONTENTS_PATH, permission="workspace.manage")
async def workspace_contents(call: Call) -> object:
    """How many registered models the caller's workspace holds, and which names would clash."""
    caller = call.principal
    insist_everywhere(caller, call.permission)
    async with call.running.database.reading(caller.tenant_no) as connection:
        return await contents(connection, caller.tenant_no, caller.workspace_id)
