"""auth's own variables (AUTH_…)."""

from typing import Final

import msgspec

from libs.common.settings import SettingsError
from services.auth.model.signing import KeyEncryptionKeyRefused, key_encryption_key

_SHORTEST_SECRET: Final = 16


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What auth reads beyond what every service reads.

    `key_encryption_key` is 32 bytes in base64 that seal the signing keys at rest.
    `client_secrets` is `service=secret,…`, who may exchange tokens here. `first_token_file` is
    where the first start leaves the owner's token (mode 0600); after that it is not touched.
    `operator_token_file` is the same for the token of the platform's operator, who is made at the
    first start at which it is set.
    A signing key is replaced after `signing_key_days`.
    """

    key_encryption_key: str
    client_secrets: str
    first_token_file: str = ""
    operator_token_file: str = ""
    signing_key_days: int = 30

    def encryption_key(self) -> bytes:
        """The key encryption key; raises SettingsError when it is malformed."""
        try:
            return key_encryption_key(self.key_encryption_key)
        except KeyEncryptionKeyRefused as problem:
            raise SettingsError(str(problem)) from None

    def clients(self) -> dict[str, str]:
        """The secrets of the services that may exchange tokens, by service name."""
        pairs = (entry.partition("=") for entry in self.client_secrets.split(",") if entry.strip())
        clients = {name.strip(): secret.strip() for name, _, secret in pairs}
        if not clients:
            raise SettingsError("AUTH_CLIENT_SECRETS holds nobody: set it to service=secret,…")
        for name, secret in clients.items():
            if len(secret) < _SHORTEST_SECRET:
                raise SettingsError(
                    f"AUTH_CLIENT_SECRETS: the secret of {name!r} is shorter than"
                    f" {_SHORTEST_SECRET} characters."
                )
        return clients
