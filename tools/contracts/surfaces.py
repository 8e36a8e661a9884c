"""What each service serves over HTTP, read from the routes its api modules declare."""

import importlib.util
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from fastapi import APIRouter

from libs.common.http.routes import Route, Routes
from libs.common.service import Service


@dataclass(frozen=True)
class Surface:
    """A service's operations: those on raw routes, and the routers of our own REST."""

    service: str
    routes: tuple[Route, ...]
    routers: tuple[APIRouter, ...]


def surfaces(services: Iterable[Service]) -> list[Surface]:
    """The surfaces of those services that serve anything."""
    found = [_surface(service) for service in services]
    return [surface for surface in found if surface.routes or surface.routers]


def _surface(service: Service) -> Surface:
    modules = list(_api_modules(service))
    routes: dict[int, Route] = {}
    routers: dict[int, APIRouter] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Routes):
                routes.update((id(route), route) for route in value.all)
            elif isinstance(value, APIRouter):
                routers[id(value)] = value
    ordered = sorted(routes.values(), key=lambda route: (route.paths[0], route.method))
    return Surface(service.name, tuple(ordered), tuple(routers.values()))


def _api_modules(service: Service) -> Iterator[ModuleType]:
    name = f"services.{service.name}.api"
    if importlib.util.find_spec(name) is None:
        return
    package = importlib.import_module(name)
    yield package
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
        yield importlib.import_module(module.name)
