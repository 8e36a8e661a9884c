"""Workspaces in tracking: walls between them, what one holds, and how a deleted one is cleared."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import pytest

from libs.common.contracts.auth import AccessRule
from libs.common.http.calling import Reply, call
from libs.common.principal import PRINCIPAL_HEADER
from libs.common.workspaces import CONTENTS_PATH
from services.tracking.store import workspaces as store
from tests.service.tracking.making import new_experiment, new_run
from tests.serving import Client
from tests.signing import access_by
from tests.waiting import eventually

TEAM = 7


@dataclass
class Inside(Client):
    """Asks tracking in one workspace."""

    workspace_id: int = TEAM
    workspace: str = "team"
    subject: str = "tester"

    def __init__(self, outside: Client, subject: str = "tester") -> None:
        super().__init__(outside.app, outside.running, outside.signer, outside.tenant)
        self.subject = subject

    async def ask(self, method: str, path: str, body: Any = None, **given: Any) -> Reply:
        """One request in the workspace."""
        principal = self.signer.principal(
            self.tenant,
            "tracking",
            workspace_id=self.workspace_id,
            workspace=self.workspace,
            sub=self.subject,
        )
        raw = given.pop("raw", None)
        content = raw if raw is not None else b"" if body is None else msgspec.json.encode(body)
        sent = [(PRINCIPAL_HEADER, principal), ("content-type", "application/json")]
        return await call(self.app, method, path, headers=sent, body=content, timeout=30, **given)


@pytest.fixture
def inside(client: Client) -> Inside:
    """The same tenant in a workspace of a team."""
    return Inside(client)


async def leaves(client: Client, mode: str, environment: dict[str, str]) -> list[tuple[str, Any]]:
    """The workspace is deleted; the facts that clearing it left, until it is told to be cleared."""
    async with client.running.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO leaving_workspaces (tenant_no, workspace_id, tenant, name, mode, subject,"
            " version) VALUES ($1, $2, $3::uuid, 'team', $4, 'user:deleter', 4)",
            *(client.tenant.number, TEAM, client.tenant.id, mode),
        )
    admin = await asyncpg.connect(environment["MAESTRO_POSTGRES_URL"])
    try:

        async def told() -> list[tuple[str, Any]]:
            rows = await admin.fetch(
                "SELECT type, payload FROM tracking.outbox WHERE tenant_no = $1"
                " AND subject = 'user:deleter' ORDER BY seq",
                client.tenant.number,
            )
            facts = [(row["type"], msgspec.json.decode(row["payload"])) for row in rows]
            done = bool(facts) and facts[-1][0] == "tracking.workspace.cleared"
            return facts if done else []

        return await eventually(told, within=30)
    finally:
        await admin.close()


async def put(client: Client, path: str, content: bytes) -> None:
    reply = await client.ask("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}", raw=content)
    assert reply.status == 200, reply.body


async def file(client: Client, path: str) -> tuple[int, bytes]:
    reply = await client.ask("GET", f"/api/2.0/mlflow-artifacts/artifacts/{path}")
    return reply.status, reply.body


async def test_one_workspace_does_not_see_another_and_names_are_its_own(
    client: Client, inside: Inside
) -> None:
    here, there = await new_experiment(client, "same"), await new_experiment(inside, "same")
    assert here != there
    run_id = await new_run(inside, there)
    shown = await inside.get("experiments/get", f"experiment_id={there}")
    assert shown["experiment"]["workspace"] == "team"
    shown = await client.get("experiments/get", f"experiment_id={here}")
    assert shown["experiment"]["workspace"] == "default"
    (found,) = (await inside.get("experiments/search", "max_results=5"))["experiments"]
    assert (found["experiment_id"], found["workspace"]) == (there, "team")
    await put(inside, f"{there}/{run_id}/artifacts/note.txt", b"ours")
    for who, status in ((inside, 200), (client, 404)):
        for path in (f"experiments/get?experiment_id={there}", f"runs/get?run_id={run_id}"):
            name, _, query = path.partition("?")
            reply = await who.ask("GET", f"/api/2.0/mlflow/{name}", query=query)
            assert reply.status == status
        assert (await file(who, f"{there}/{run_id}/artifacts/note.txt"))[0] == status
    # As in MLflow, "0" is the `Default` of the default workspace alone.
    for body in ({"experiment_id": "0"}, {}):
        reply = await inside.ask("POST", "/api/2.0/mlflow/runs/create", body)
        assert (reply.status, msgspec.json.decode(reply.body)["message"]) == (
            404,
            "No Experiment with id=0 exists",
        )


async def test_contents_are_told_to_who_manages_the_workspace(
    client: Client, inside: Inside
) -> None:
    await new_experiment(client, "both")
    for name in ("both", "own", "Default"):
        await new_experiment(inside, name)
    reply = await inside.ask("GET", CONTENTS_PATH)
    assert msgspec.json.decode(reply.body) == {
        "kind": "experiments",
        "count": 3,
        "clashes": ["Default", "both"],
    }
    viewer = f"viewer-{uuid4()}"
    client.signer.access[viewer] = access_by(viewer, "viewer")
    assert (await Inside(client, viewer).ask("GET", CONTENTS_PATH)).status == 403
    managing = AccessRule(
        rule_id="grant:1",
        effect="allow",
        permissions=["workspace.manage"],
        kind="workspace",
        workspace_id=TEAM,
    )
    holder = f"holder-{uuid4()}"
    client.signer.access[holder] = access_by(holder, "", managing)
    assert (await Inside(client, holder).ask("GET", CONTENTS_PATH)).status == 200
    elsewhere = Inside(client, holder)
    elsewhere.workspace_id = TEAM + 1
    assert (await elsewhere.ask("GET", CONTENTS_PATH)).status == 403


def fails_once(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """A step of the move breaks when it is taken first; what has broken."""
    failed: list[str] = []
    step = getattr(store, name)

    async def taken(*given: Any) -> Any:
        if not failed:
            failed.append(name)
            raise RuntimeError("a fault half way")
        return await step(*given)

    monkeypatch.setattr(store, name, taken)
    return failed


async def test_all_moves_to_default_page_by_page_with_its_files_and_facts_though_it_fails_once(
    client: Client,
    inside: Inside,
    platform_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "PAGE", 2)
    await new_experiment(client, "taken")
    taken, aside = await new_experiment(inside, "taken"), await new_experiment(inside, "aside")
    runs = [await new_run(inside, taken, metrics={"loss": n}) for n in range(5)]
    made = await inside.post("logged-models", {"experiment_id": taken, "name": "m"})
    model_id = made["model"]["info"]["model_id"]
    await inside.post("experiments/delete", {"experiment_id": aside})
    path = f"{taken}/{runs[0]}/artifacts/deep/note 1.txt"
    await put(inside, path, b"ours")

    failed = fails_once(monkeypatch, "move_models")
    facts = await leaves(client, "SET_DEFAULT", platform_environment)
    assert failed
    kinds = [kind for kind, _ in facts]
    assert kinds.count("tracking.run.changed") == 5
    assert kinds.count("tracking.logged-model.changed") == 1
    assert kinds.count("tracking.experiment.changed") == 2
    assert {
        fact["run"]["workspace_id"] for kind, fact in facts if kind.endswith("run.changed")
    } == {1}
    moved = [fact["experiment"] for kind, fact in facts if kind.endswith("experiment.changed")]
    assert {(one["name"], one["workspace_id"]) for one in moved} == {
        ("taken (from team)", 1),
        ("aside", 1),
    }
    assert facts[-1] == ("tracking.workspace.cleared", {"version": 4, "workspace_id": TEAM})

    for run_id in runs:
        assert (await client.get("runs/get", f"run_id={run_id}"))["run"]["data"]["metrics"]
    found = await client.post("runs/search", {"experiment_ids": [taken]})
    assert {run["info"]["run_id"] for run in found["runs"]} == set(runs)
    assert (await client.get(f"logged-models/{model_id}"))["model"]["info"]["name"] == "m"
    assert await file(client, path) == (200, b"ours")
    assert (await file(inside, path))[0] == 404
    reply = await inside.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={runs[0]}")
    assert reply.status == 404
    await client.post(
        "runs/log-metric", {"run_id": runs[0], "key": "x", "value": 1, "timestamp": 1}
    )
    restored = await client.ask(
        "POST", "/api/2.0/mlflow/experiments/restore", {"experiment_id": aside}
    )
    assert restored.status == 200


async def test_a_cascade_puts_all_aside_and_what_comes_late_is_swept_too(
    client: Client, inside: Inside, platform_environment: dict[str, str]
) -> None:
    first, second = await new_experiment(inside), await new_experiment(inside)
    run_id = await new_run(inside, first)
    facts = await leaves(client, "CASCADE", platform_environment)
    kinds = sorted(kind for kind, _ in facts)
    assert kinds == [
        "tracking.experiment.deleted",
        "tracking.experiment.deleted",
        "tracking.run.deleted",
        "tracking.workspace.cleared",
    ]
    gone = (await inside.get("runs/get", f"run_id={run_id}"))["run"]["info"]["lifecycle_stage"]
    assert gone == "deleted"
    assert (
        await client.ask("GET", "/api/2.0/mlflow/runs/get", query=f"run_id={run_id}")
    ).status == 404

    # Written with a principal from before the deletion, which lives for another minute.
    late = await new_experiment(inside)
    async with client.running.database.transaction() as connection:
        await connection.execute(
            "UPDATE leaving_workspaces SET swept_at = now() - interval '1 hour'"
            " WHERE tenant_no = $1",
            client.tenant.number,
        )

    async def swept() -> bool:
        left = await client.running.database.fetchval(
            "SELECT count(*) FROM leaving_workspaces WHERE tenant_no = $1", client.tenant.number
        )
        return bool(left == 0)

    await eventually(swept, within=30)
    for experiment_id in (first, second, late):
        shown = await inside.get("experiments/get", f"experiment_id={experiment_id}")
        assert shown["experiment"]["lifecycle_stage"] == "deleted"


async def test_what_a_workspace_that_had_to_be_empty_holds_after_all_is_not_lost(
    client: Client, inside: Inside, platform_environment: dict[str, str]
) -> None:
    late = await new_experiment(inside, "late")
    await leaves(client, "RESTRICT", platform_environment)
    shown = await client.get("experiments/get", f"experiment_id={late}")
    assert shown["experiment"]["lifecycle_stage"] == "active"
