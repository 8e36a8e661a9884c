"""docs/metrics.md: every Prometheus metric that the processes expose."""

import importlib.util
from collections.abc import Iterable, Iterator

from prometheus_client.metrics import MetricWrapperBase

from libs.common.service import Service

HEAD = """# Metrics

Prometheus metrics at `/metrics` of each process, written by `make contracts`. Counts of HTTP requests
and of messages stand in every service; `service`, `group` and `route` take only values that the code
declares, so their number is bounded.

| metric | kind | labels | |
|---|---|---|---|
"""


def document(services: Iterable[Service]) -> str:
    """The page, metrics in the order of their names."""
    modules = ["libs.common.telemetry.metrics"]
    modules += [f"services.{service.name}.metrics" for service in services]
    rows = sorted({row for module in modules for row in _rows(module)})
    return HEAD + "\n".join(rows) + "\n"


def _rows(module: str) -> Iterator[str]:
    if importlib.util.find_spec(module) is None:
        return
    for metric in vars(importlib.import_module(module)).values():
        if isinstance(metric, MetricWrapperBase):
            labels = ", ".join(metric._labelnames)  # noqa: SLF001 - there is no other way to them
            for family in metric.describe():
                suffix = "_total" if family.type == "counter" else ""
                name = f"`{family.name}{suffix}`"
                yield f"| {name} | {family.type} | {labels} | {family.documentation} |"
