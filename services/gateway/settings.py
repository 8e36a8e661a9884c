"""The gateway's own variables (GATEWAY_…)."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

import msgspec

from libs.common.settings import SettingsError


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway reads beyond what every process reads.

    `metrics_allowed` lists the networks that may read /metrics, loopback alone by default.
    `upstream_seconds` is how long a service may be silent before the gateway answers for it.
    `platform_rps` is how many requests a second the whole platform serves, 0 for as many as it can;
    tenants have the limits of their plans besides. `replicas` is how many gateways there are: each
    decides about its share while Redis is away, and always about requests at the same time.
    `delay_seconds` is how long a running run's write over a limit waits before it is refused.
    """

    metrics_allowed: str = "127.0.0.0/8,::1/128"
    upstream_seconds: float = 60.0
    platform_rps: int = 0
    replicas: Annotated[int, msgspec.Meta(ge=1)] = 1
    delay_seconds: Annotated[float, msgspec.Meta(ge=0, le=10)] = 10.0

    def metrics_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of `metrics_allowed`; raises SettingsError when one is malformed."""
        try:
            return tuple(
                ip_network(text.strip()) for text in self.metrics_allowed.split(",") if text.strip()
            )
        except ValueError as problem:
            raise SettingsError(f"GATEWAY_METRICS_ALLOWED: {problem}") from None
