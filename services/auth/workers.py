"""Background work of auth: keys are replaced in time, old revocations forgotten, heartbeats told."""

import asyncio
from typing import Final

from libs.common.errors import Refusal
from libs.common.service import Running
from libs.common.telemetry.logs import logger
from services.auth.commands.heartbeat import send_heartbeat
from services.auth.commands.keys import replace_old_key
from services.auth.settings import Settings
from services.auth.store.revocations import drop_old_revocations

_CHECK_SECONDS: Final = 3600.0
_BEAT_SECONDS: Final = 1.0
_FORGET_SECONDS: Final = 60.0
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


async def beat(running: Running) -> None:
    """Tell a heartbeat once a second, taking turns with nobody while this process lives; forever."""
    missed = False
    while True:
        try:
            await send_heartbeat(running)
            missed = False
        except Refusal as problem:
            if not missed:  # one line, however many seconds the database is away
                _log.warning("heartbeat_missed", error=problem.message)
            missed = True
        await asyncio.sleep(_BEAT_SECONDS)


async def forget_old_revocations(running: Running) -> None:
    """Drop, once a minute, what ended so long ago that nobody needs to know; forever."""
    while True:
        try:
            async with running.database.transaction() as connection:
                await drop_old_revocations(connection)
        except Refusal as problem:
            _log.warning("revocations_not_forgotten", error=problem.message)
        await asyncio.sleep(_FORGET_SECONDS)
