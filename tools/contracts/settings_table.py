"""docs/settings.md: every variable that a process reads, from the settings classes."""

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec

from libs.common.service import Service
from libs.common.settings import Common, Shared

HEAD = """# Settings

Every variable the services read, written by `make contracts`. `make up` makes them all up by itself,
and one that is set in its environment goes first; `compose.yaml` gives each process its own. Without
a default a variable is needed.

| variable | default | |
|---|---|---|
| `MAESTRO_LOG_LEVEL` | `INFO` | of every process |
| `OTEL_EXPORTER_OTLP_ENDPOINT` | | where traces go; without it there are none |
| `<SERVICE>_HOST`, `<SERVICE>_PORT` | `127.0.0.1` | where a process of its own answers |
| `<SERVICE>_URL` | | where a service that runs elsewhere is found |
| `MAESTRO_POSTGRES_URL` | needed by `migrate` alone | an administrator: CREATEROLE, no superuser |
| `MAESTRO_KAFKA_ADMIN_USERNAME`, `…_PASSWORD` | needed by `migrate` and `redrive` | |
"""


def document(services: Iterable[Service]) -> str:
    """The page: what all read alike, what each reads under its name, and each service's own."""
    sections = [
        _section("Every process", "MAESTRO", Shared),
        _section("Every service under its own name", "<SERVICE>", Common),
    ]
    sections += [
        _section(service.name, service.name.upper(), service.settings)
        for service in services
        if service.settings is not None and msgspec.structs.fields(service.settings)
    ]
    return "\n".join([HEAD, *sections])


def _section(title: str, prefix: str, settings: type[Any]) -> str:
    said = inspect.getdoc(settings) or ""
    lines = [f"## {title}", "", said, "", "| variable | default |", "|---|---|"]
    for field in msgspec.structs.fields(settings):
        shown = "needed" if field.required else _shown(field.default)
        lines.append(f"| `{prefix}_{field.name.upper()}` | {shown} |")
    return "\n".join([*lines, ""])


def _shown(default: object) -> str:
    return f"`{default}`" if default not in {"", msgspec.NODEFAULT, None} else ""
