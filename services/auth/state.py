"""What auth holds in memory while it runs: keys, known passwords, who may exchange tokens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from libs.common.principal import Verifier
from libs.common.service import Running
from libs.common.settings import SettingsError
from libs.common.telemetry.logs import logger
from services.auth.commands.first_start import begin_once
from services.auth.keys import KeyRing
from services.auth.model.signing import KeyEncryptionKeyRefused
from services.auth.passwords import Passwords
from services.auth.settings import Settings

_NO_AUDIENCE: Final = frozenset({"gateway"})
_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """`clients` holds the secrets of services by name, `audiences` whom principals are for.

    `verifiers` has one for each client, so that a principal shown again is not verified again.
    """

    keys: KeyRing
    clients: dict[str, str]
    verifiers: dict[str, Verifier]
    audiences: frozenset[str]
    passwords: Passwords


@asynccontextmanager
async def opens(running: Running) -> AsyncIterator[State]:
    """Begin the installation where that is still to do, then hold the keys while auth runs."""
    settings: Settings = running.settings
    clients, encryption_key = settings.clients(), settings.encryption_key()
    if await begin_once(
        running, encryption_key, settings.first_token_file, settings.operator_token_file
    ):
        _log.info("installation_begun", file=settings.first_token_file)
    keys = KeyRing(running.database, encryption_key)
    try:
        await keys.read()
    except KeyEncryptionKeyRefused as problem:
        raise SettingsError(str(problem)) from None
    verifiers = {client: Verifier(client, keys.key_set) for client in clients}
    audiences = frozenset({"auth", *clients}) - _NO_AUDIENCE
    passwords = Passwords()
    try:
        yield State(keys, clients, verifiers, audiences, passwords)
    finally:
        passwords.close()
