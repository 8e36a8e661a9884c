"""All generated files at once: path → what it should hold."""

import tomllib
from pathlib import Path

from libs.common.contracts.plans import PLANS
from tools.contracts import (
    asyncapi,
    event_table,
    frozen,
    metric_table,
    openapi,
    permission_table,
    plan_table,
    route_table,
    settings_table,
)
from tools.contracts.landscape import Landscape
from tools.contracts.surfaces import surfaces


def generated_files(root: Path, landscape: Landscape) -> dict[str, str]:
    """Everything `make contracts` writes below `root`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    readme = (root / "README.md").read_text(encoding="utf-8")
    limits = (root / "docs/limits.md").read_text(encoding="utf-8")
    served = surfaces(landscape.services)
    return {
        "asyncapi.yaml": asyncapi.document(landscape, project["version"]),
        "README.md": event_table.placed(readme, landscape),
        "docs/routes.md": route_table.document(served),
        "docs/permissions.md": permission_table.document(),
        "docs/settings.md": settings_table.document(landscape.services),
        "docs/limits.md": plan_table.placed(limits, PLANS.values()),
        "docs/metrics.md": metric_table.document(landscape.services),
        **openapi.documents(served, project["version"]),
        **frozen.files(landscape.topics),
    }
