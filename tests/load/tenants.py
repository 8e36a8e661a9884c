"""Many tenants, each with a member that custom roles and 50 grants let into some of what is there."""

import json
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg

from services.auth.model.credential import ALL_SCOPES, FIRST_WORKSPACE, subject_of
from services.auth.model.grants import NewGrant, Target
from services.auth.model.secrets import digest, new_secret
from services.auth.store.access import add_grant, define_role
from services.auth.store.identity import NewToken, add_member, add_tenant, add_token
from tests.load.asking import ask_all
from tests.load.operations import Site

PLAN: Final = "unlimited"
SEEDERS: Final = 8
PAGE: Final = 20
# What a read run holds, as keys of metrics, params and tags.
KEYS: Final = 20
# The member's role, and two that it has by grants on some experiments.
ROLES: Final = {
    "desk": ["token.own", "workspace.read"],
    "researcher": ["experiment.read", "run.read", "run.create", "run.log", "run.update"],
    "reader": ["experiment.read", "run.read"],
}
SPARE: Final = "spare/*"
GRANTS: Final = (
    *(("allow", "researcher", f"team-{number:02}/*") for number in range(30)),
    *(("allow", "researcher", f"paper/{number:02}") for number in range(15)),
    *(("allow", "reader", pattern) for pattern in ("shared/*", "archive/*")),
    ("allow", "researcher", SPARE),
    *(("deny", "researcher", f"team-{number:02}/secret-*") for number in range(2)),
)
# The oldest first, so that a page of the newest holds hidden ones unless they are left out.
REACHED: Final = (
    *(f"team-{number:02}/trials" for number in range(18)),
    *(f"paper/{number:02}" for number in range(4)),
)
HIDDEN: Final = ("team-00/secret-0", "team-01/secret-1", "hidden/0", "hidden/1")
EXPERIMENTS: Final = (*REACHED, "spare/0", "shared/0", *HIDDEN)
# Where each run of a tenant lies: two to write to, two to read, and those of denied requests.
RUNS: Final = {
    "written": ("team-03/trials", "paper/01"),
    "read": ("team-07/trials", "paper/02"),
    "denied": ("team-00/secret-0",),
    "hidden": ("hidden/0",),
    "shared": ("shared/0",),
}
Runs = dict[str, list[str]]


@dataclass
class Member:
    """A tenant's member that asks, the owner who grants, and what the tenant has."""

    number: int
    subject: str
    owner_token: str
    token: str
    token_id: str
    spare_grant: str
    experiments: dict[str, str] = field(default_factory=dict)
    runs: Runs = field(default_factory=dict)


async def add_members(superuser_url: str, tenants: int) -> list[Member]:
    """As many tenants, each with an owner and a member, as auth would store them."""
    connection = await asyncpg.connect(superuser_url, server_settings={"search_path": "auth"})
    try:
        found = []
        for number in range(tenants):
            async with connection.transaction():
                found.append(await _tenant(connection, f"tenant-{number:02}"))
        return found
    finally:
        await connection.close()


async def _tenant(connection: Any, name: str) -> Member:
    number = await add_tenant(connection, uuid4(), name, PLAN)
    await connection.execute(
        "INSERT INTO workspaces (tenant_no, workspace_id, name) VALUES ($1, 1, 'default')", number
    )
    for role, permissions in ROLES.items():
        await define_role(connection, number, role, "", permissions)
    owner, user = uuid4(), uuid4()
    await add_member(connection, number, owner, f"{name}-owner", "owner")
    await add_member(connection, number, user, f"{name}-member", "desk")
    _, owner_token = await _token(connection, number, owner)
    token_id, token = await _token(connection, number, user)
    grants = {
        pattern: await add_grant(
            connection, number, user, _grant(effect, role, pattern), subject_of(owner)
        )
        for effect, role, pattern in GRANTS
    }
    return Member(number, subject_of(user), owner_token, token, str(token_id), str(grants[SPARE]))


def _grant(effect: Any, role: str, pattern: str) -> NewGrant:
    target = Target("experiment", FIRST_WORKSPACE, pattern)
    return NewGrant("", effect, target, role, (), None, "")


async def _token(connection: Any, tenant_no: int, user: UUID) -> tuple[UUID, str]:
    secret = new_secret()
    token = NewToken(
        token_id=uuid4(),
        digest=digest(secret),
        name="first",
        user_id=user,
        workspace_id=FIRST_WORKSPACE,
        scopes=ALL_SCOPES,
        expires_in_days=30,
    )
    await add_token(connection, tenant_no, token)
    return token.token_id, secret


async def fill(place: tuple[str, int], members: list[Member]) -> None:
    """The experiments and runs of all tenants, made by their owners."""
    sites = [Site(*place, member.owner_token) for member in members]
    for name in EXPERIMENTS:
        answers = await _posted(sites, "experiments/create", [{"name": name}] * len(sites))
        for member, answer in zip(members, answers, strict=True):
            member.experiments[name] = str(answer["experiment_id"])
    for group, names in RUNS.items():
        for name in names:
            bodies = [{"experiment_id": m.experiments[name], "start_time": 1} for m in members]
            made = await _posted(sites, "runs/create", bodies)
            for member, answer in zip(members, made, strict=True):
                member.runs.setdefault(group, []).append(str(answer["run"]["info"]["run_id"]))
    for number in range(len(RUNS["read"])):
        batches = [_content(member.runs["read"][number]) for member in members]
        await _posted(sites, "runs/log-batch", batches)


async def _posted(sites: list[Site], path: str, bodies: list[dict[str, Any]]) -> list[Any]:
    requests = [
        site.request("POST", path, json.dumps(body).encode())
        for site, body in zip(sites, bodies, strict=True)
    ]
    return [json.loads(answer) for answer in await ask_all(sites[0], requests, SEEDERS)]


def _content(run_id: str) -> dict[str, Any]:
    """Half of the keys as metrics, the others as params; a run's name is a tag of its own."""
    half = KEYS // 2
    return {
        "run_id": run_id,
        "metrics": [
            {"key": f"m{i}", "value": i / 7, "timestamp": 1, "step": 0} for i in range(half)
        ],
        "params": [{"key": f"p{i}", "value": f"v{i}"} for i in range(half)],
        "tags": [],
    }
