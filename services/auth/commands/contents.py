"""Asking the owners what a workspace holds: one bounded read each, in the caller's name there."""

import time
from typing import Final

import msgspec

from libs.common.errors import unavailable
from libs.common.http.calling import call
from libs.common.principal import PRINCIPAL_HEADER, Principal
from libs.common.service import Running
from libs.common.workspaces import CONTENTS_PATH, Contents
from services.auth.keys import KeyRing
from services.auth.model.principals import mint_in_workspace
from services.auth.model.workspaces import Workspace

OWNERS: Final = ("tracking", "registry")
_SECONDS: Final = 5.0


async def contents_of(
    running: Running, keys: KeyRing, principal: Principal, workspace: Workspace
) -> list[Contents]:
    """What each owner holds in a workspace; a refusal 503 where one of them cannot say."""
    return [
        await _asked(running, keys, principal, workspace, owner)
        # One after the other: the first is most often the only one that has anything.
        for owner in OWNERS
    ]


async def _asked(
    running: Running, keys: KeyRing, principal: Principal, workspace: Workspace, owner: str
) -> Contents:
    peer = running.peers.get(owner)
    if peer is None:
        raise unavailable(f"The {owner} service has not started; try again.")
    token = mint_in_workspace(
        principal,
        owner,
        (workspace.workspace_id, workspace.name),
        await keys.signing(),
        int(time.time()),
    )
    reply = await call(
        peer, "GET", CONTENTS_PATH, headers=[(PRINCIPAL_HEADER, token)], timeout=_SECONDS
    )
    try:
        if reply.status == 200:
            return msgspec.json.decode(reply.body, type=Contents)
    except msgspec.MsgspecError as problem:
        raise unavailable(f"The {owner} service gave an unknown answer; try again.") from problem
    raise unavailable(f"The {owner} service cannot say what the workspace holds; try again.")
