"""The gateway's own variables (GATEWAY_…)."""

import re
from typing import Annotated, Final

import msgspec

from libs.common.settings import SettingsError
from services.gateway.addresses import Networks, networks_of

_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway reads beyond what every process reads.

    `metrics_allowed` lists the networks that may read /metrics, loopback alone by default.
    `trusted_proxies` lists the networks of proxies whose X-Forwarded-For is believed, none by default.
    `public_url` is where clients reach the gateway (`https://maestro.example.org/prefix`), for URLs in
    answers; what a client asked, with X-Forwarded-Proto of a trusted proxy, where it is empty.
    `upstream_seconds` is how long a service may be silent before the gateway answers for it.
    `platform_rps` is how many requests a second the whole platform serves, 0 for as many as it can;
    tenants have the limits of their plans besides. `replicas` is how many gateways there are: each, and
    each of its processes, decides about its share while Redis is away, and always about requests at
    the same time.
    `delay_seconds` is how long a running run's write over a limit waits before it is refused.
    `ui_folder` holds MLflow's built web pages (`mlflow/server/js/build` of its wheel), which are
    served at `/`; without it there are none.
    """

    metrics_allowed: str = "127.0.0.0/8,::1/128"
    trusted_proxies: str = ""
    public_url: str = ""
    upstream_seconds: float = 60.0
    platform_rps: int = 0
    replicas: Annotated[int, msgspec.Meta(ge=1)] = 1
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=10)] = 10.0
    ui_folder: str = ""

    def __post_init__(self) -> None:
        """Raises SettingsError where `public_url` is no address of the web."""
        if self.public_url and not _URL.fullmatch(self.public_url):
            raise SettingsError(
                f"GATEWAY_PUBLIC_URL should be https://host/prefix, and is {self.public_url!r}."
            )

    def metrics_networks(self) -> Networks:
        """The networks of `metrics_allowed`; raises SettingsError when one is malformed."""
        return _networks("GATEWAY_METRICS_ALLOWED", self.metrics_allowed)

    def proxies(self) -> Networks:
        """The networks of `trusted_proxies`; raises SettingsError when one is malformed."""
        return _networks("GATEWAY_TRUSTED_PROXIES", self.trusted_proxies)


def _networks(variable: str, text: str) -> Networks:
    try:
        return networks_of(text)
    except ValueError as problem:
        raise SettingsError(f"{variable}: {problem}") from None
