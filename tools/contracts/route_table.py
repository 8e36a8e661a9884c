"""docs/routes.md: every HTTP operation, who serves it and what the caller must be allowed."""

from fastapi.routing import APIRoute

from libs.common.http.routes import BOTH, Route
from tools.contracts.surfaces import Surface

HEAD = """# Routes

Every operation behind the gateway; written by `make contracts`. A path without prefixes is served
as it stands, `public` needs no login. Each service also answers `/health`, `/ready` and `/metrics`
on its own port.
"""


def document(surfaces: list[Surface]) -> str:
    """The page: one table per service."""
    return "\n".join([HEAD, *(_section(surface) for surface in surfaces)])


def _section(surface: Surface) -> str:
    lines = [f"## {surface.service}", ""]
    lines += ["| method | path | prefixes | permission |", "|---|---|---|---|"]
    lines += [_row(route) for route in surface.routes]
    for router in surface.routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                methods = ", ".join(sorted(route.methods or ()))
                lines.append(f"| {methods} | `{route.path}` | | {_permission(route)} |")
    return "\n".join([*lines, ""])


def split(route: Route) -> tuple[str, tuple[str, ...]]:
    """The path without prefix and its prefixes; a path of its own has none."""
    for prefix in BOTH:
        if route.paths[0].startswith(f"{prefix}/2.0/") or len(route.paths) > 1:
            tail = route.paths[0].removeprefix(prefix)
            prefixes = tuple(path.removesuffix(tail) for path in route.paths)
            if all(
                path == before + tail for path, before in zip(route.paths, prefixes, strict=True)
            ):
                return tail, tuple(before for before in prefixes if before)
    return route.paths[0], ()


def _row(route: Route) -> str:
    path, prefixes = split(route)
    return f"| {route.method} | `{path}` | {' '.join(prefixes)} | {route.permission} |"


def _permission(route: APIRoute) -> str:
    return str((route.openapi_extra or {}).get("x-permission", "authenticated"))
