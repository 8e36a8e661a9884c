"""Settings: frozen values read once, at the entry point, from a mapping of variables."""

import socket
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

S = TypeVar("S")


class SettingsError(Exception):
    """A variable is absent or malformed; the message names it and what it should hold."""


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """What every service with a schema of its own reads, under its own prefix (`TRACKING_…`).

    The URLs are PostgreSQL URLs of two roles, absent where the service owns no schema: `database_url` for requests and consumers,
    `relay_database_url` for the message relay, which needs a direct connection (no transaction
    pooler). `auth_client_secret` is what it shows to auth when it asks. `pool_size` counts
    connections, `drain_seconds` bounds the wait for open requests at SIGTERM.
    """

    kafka_username: str
    kafka_password: str
    database_url: str = ""
    relay_database_url: str = ""
    auth_client_secret: str = ""
    pool_size: int = 8
    drain_seconds: float = 20.0


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What all services of one platform read alike, under the prefix `MAESTRO_`.

    `instance` names this process among its replicas and must stay the same over a restart: it is
    the static member id of its Kafka consumers. `processes` is how many of them share the port and
    the work; 0 is one for each core, four at most, for `python -m services`, and one for a single service.
    """

    kafka_bootstrap: str
    redis_url: str = ""
    instance: str = ""
    processes: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0
    kafka_replication: int = 1
    allowed_hosts: str = ""
    allowed_origins: str = ""
    image: str = ""
    failpoints: str = ""

    def member(self) -> str:
        """The name of this process among its replicas: as set, else the host's name."""
        return self.instance or socket.gethostname()


def load(cls: type[S], prefix: str, env: Mapping[str, str]) -> S:
    """Build `cls` (a frozen msgspec Struct) from the variables `<PREFIX>_<FIELD>` of `env`.

    Raises SettingsError naming each absent variable, or the first malformed one.
    """
    found: dict[str, Any] = {}
    absent: list[str] = []
    for field in msgspec.structs.fields(cls):  # type: ignore[arg-type]
        variable = f"{prefix}_{field.name}".upper()
        if variable in env:
            found[field.name] = _converted(variable, env[variable], field.type)
        elif field.required:
            absent.append(variable)
    if absent:
        raise SettingsError(f"Set {', '.join(absent)}: the service cannot start without.")
    return cls(**found)


def _converted(variable: str, text: str, kind: Any) -> Any:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as problem:
        raise SettingsError(f"{variable} is malformed: {problem}") from None
