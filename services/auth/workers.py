"""Background work of auth: signing keys are replaced in time."""

import asyncio
from typing import Final

from libs.common.errors import Refusal
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.auth.commands.keys import replace_old_key
from services.auth.settings import Settings

_CHECK_SECONDS: Final = 3600.0
_log = logger(__name__)


async def replace_old_keys(running: Running) -> None:
    """Look once an hour whether the signing key has had its time; forever."""
    settings: Settings = running.settings
    while True:
        try:
            if await replace_old_key(
                running.database, settings.encryption_key(), days=settings.signing_key_days
            ):
                _log.info("signing_key_added")
        except Refusal as problem:
            _log.warning("signing_key_not_checked", error=problem.message)
        await asyncio.sleep(_CHECK_SECONDS)
