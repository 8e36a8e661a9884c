"""Every operation of the registry once: how it is asked about a model, and what it should take."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from libs.common.contracts.auth import AccessRule
from libs.common.http.calling import Reply
from tests.service.registry.conftest import Registry

MLFLOW: Final = "/api/2.0/mlflow/"
OWNER: Final = "/api/maestro/v1/models/{name:path}/owner"
SOMEBODY: Final = "user:00000000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Operation:
    """A route, the permission it should take, and fields in which {name} stands for the model."""

    method: str
    path: str
    permission: str
    fields: Mapping[str, str]

    async def ask(self, client: Registry, name: str) -> Reply:
        """Ask about the model `name`."""
        path = self.path.replace("{name:path}", name)
        fields = {key: value.format(name=name) for key, value in self.fields.items()}
        if self.method == "GET":
            return await client.ask("GET", path, query=urlencode(fields))
        return await client.ask(self.method, path, fields)


def _on_model(method: str, tail: str, permission: str, **fields: str) -> Operation:
    path = f"{MLFLOW}registered-models/{tail}"
    return Operation(method, path, f"model.{permission}", {"name": "{name}", **fields})


def _on_version(method: str, tail: str, permission: str, **fields: str) -> Operation:
    path = f"{MLFLOW}model-versions/{tail}"
    body = {"name": "{name}", "version": "1", **fields}
    return Operation(method, path, f"model.{permission}", body)


SEARCHES: Final = tuple(
    Operation("GET", f"{MLFLOW}{kind}/search", "model.read", {})
    for kind in ("registered-models", "model-versions")
)
CREATE: Final = _on_model("POST", "create", "register")
# Those that are about one model that is there: it has the version 1 and the alias `best`.
ON_ONE: Final = (
    _on_model("GET", "get", "read"),
    _on_model("PATCH", "update", "write", description="x"),
    _on_model("POST", "rename", "manage", new_name="{name}-renamed"),
    _on_model("DELETE", "delete", "delete"),
    _on_model("GET", "get-latest-versions", "read"),
    _on_model("POST", "get-latest-versions", "read"),
    _on_model("POST", "set-tag", "write", key="k", value="w"),
    _on_model("DELETE", "delete-tag", "write", key="k"),
    _on_model("POST", "alias", "alias", alias="other", version="1"),
    _on_model("GET", "alias", "read", alias="best"),
    _on_model("DELETE", "alias", "alias", alias="best"),
    _on_version("POST", "create", "register", source="models:/{name}/1"),
    _on_version("GET", "get", "read"),
    _on_version("PATCH", "update", "write", description="x"),
    _on_version("POST", "transition-stage", "transition", stage="Staging"),
    _on_version("DELETE", "delete", "delete"),
    _on_version("GET", "get-download-uri", "read"),
    _on_version("POST", "set-tag", "write", key="k", value="w"),
    _on_version("DELETE", "delete-tag", "write", key="k"),
    Operation(
        "GET",
        "/model-versions/get-artifact",
        "model.read",
        {"name": "{name}", "version": "1", "path": "MLmodel"},
    ),
    Operation("GET", OWNER, "model.read", {}),
    Operation("PUT", OWNER, "model.manage", {"subject": SOMEBODY}),
)
ALL: Final = (*SEARCHES, CREATE, *ON_ONE)


async def furnished(registry: Registry, name: str) -> str:
    """A model with a tag, a tagged version 1 and the alias `best` for it; its name."""
    tags = [{"key": "k", "value": "v"}]
    await registry.model(name, tags=tags, description="d")
    await registry.version(name, tags=tags)
    await registry.post("registered-models/alias", {"name": name, "alias": "best", "version": "1"})
    return name


def rule(effect: Any, pattern: str, *permissions: str, workspace_id: int = 1) -> AccessRule:
    """A rule about models; without permissions, about all that are about models."""
    names = permissions or sorted({operation.permission for operation in ALL})
    return AccessRule(
        rule_id=uuid.uuid4().hex,
        effect=effect,
        permissions=list(names),
        kind="model",
        workspace_id=workspace_id,
        pattern=pattern,
    )
