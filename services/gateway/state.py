"""What a running gateway holds: the principals in use, what tenants may use at once, who listens."""

from dataclasses import dataclass

from services.gateway.limits.limits import Limits
from services.gateway.listeners import Listeners
from services.gateway.principals import Principals


@dataclass(frozen=True, slots=True)
class State:
    """Lives as long as the gateway; `Running.state`."""

    principals: Principals
    limits: Limits
    listeners: Listeners
