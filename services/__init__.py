"""The topology on one page: which services there are, and in which order one process starts them."""

from importlib import import_module

from libs.common.service import Service

# Each is `SERVICE` in services/<name>/service.py. The gateway comes last: it faces out.
SERVICES = ("auth", "tracking", "registry", "gateway")


def service(name: str) -> Service:
    """The service of that name; imported when asked for, so that a process loads its own only."""
    found: Service = import_module(f"services.{name}.service").SERVICE
    return found


def all_services() -> list[Service]:
    """Every service, the gateway last."""
    return [service(name) for name in SERVICES]
