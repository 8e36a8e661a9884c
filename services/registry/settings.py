"""registry's own variables (REGISTRY_…)."""

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the registry reads beyond what every service reads.

    `auth_client_secret` is what it shows to auth when it exchanges a caller's principal in order
    to ask tracking.
    """

    auth_client_secret: str
