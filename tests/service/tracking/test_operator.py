"""The platform's operator is of no tenant: tracking shows and lets it do nothing."""

from uuid import UUID, uuid4

import msgspec
import pytest

from libs.common.http.calling import call
from libs.common.principal import PRINCIPAL_HEADER
from tests.serving import Client
from tests.signing import Tenant


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "experiments/create", {"name": "mine"}),
        ("POST", "experiments/search", {"max_results": 10}),
        ("GET", "runs/get", None),
        ("POST", "runs/search", {"experiment_ids": ["0"]}),
    ],
)
async def test_an_operator_is_refused(client: Client, method: str, path: str, body: object) -> None:
    nowhere = Tenant(0, str(UUID(int=0)))
    principal = client.signer.principal(nowhere, "tracking", sub=f"operator:{uuid4()}")
    reply = await call(
        client.app,
        method,
        f"/api/2.0/mlflow/{path}",
        headers=[(PRINCIPAL_HEADER, principal), ("content-type", "application/json")],
        query="run_id=1" if body is None else "",
        body=b"" if body is None else msgspec.json.encode(body),
    )
    assert reply.status == 403
    problem = msgspec.json.decode(reply.body)
    assert problem["error_code"] == "PERMISSION_DENIED"
    assert "/api/maestro/v1/tenants" in problem["message"]
