"""Which versions were registered from a run: one bounded read of the registry, which decides.

It is asked with the caller's principal, so that it shows what the caller may see of models.
"""

from typing import Final
from urllib.parse import urlencode

import msgspec

from libs.common.errors import Refusal
from libs.common.http.calling import call
from libs.common.principal import PRINCIPAL_HEADER, Principal
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.tracking.schemas.graphql import Version
from services.tracking.state import state_of

_AUDIENCE: Final = "registry"
_PATH: Final = "/api/2.0/mlflow/model-versions/search"
_MOST: Final = 1_000
_SECONDS: Final = 2.0
_log = logger(__name__)


class _Found(msgspec.Struct, frozen=True):
    model_versions: list[Version] = []


async def versions_of_run(
    running: Running, principal: Principal, run_id: str
) -> list[Version] | None:
    """The versions of a run that is there; None where the registry cannot say now.

    Nobody waits for it in vain: a run is shown without them.
    """
    registry = running.peers.get(_AUDIENCE)
    if registry is None:
        return None
    # The id was that of a run: it holds no quote.
    query = urlencode({"filter": f"run_id = '{run_id}'", "max_results": _MOST})
    try:
        token = await state_of(running).exchange.principal_for(principal, _AUDIENCE)
        reply = await call(
            registry,
            "GET",
            _PATH,
            query=query,
            headers=[(PRINCIPAL_HEADER, token)],
            timeout=_SECONDS,
        )
        if reply.status == 200:
            return msgspec.json.decode(reply.body, type=_Found).model_versions
        _log.warning("versions_not_told", status=reply.status)
    except (Refusal, msgspec.MsgspecError) as problem:
        _log.warning("versions_not_told", error=repr(problem))
    return None
