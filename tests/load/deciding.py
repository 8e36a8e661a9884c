"""What rights cost: the memory of many active principals, and the time of a decision.

`python -m tests.load.deciding` prints the figures of docs/performance.md. Each principal has grants
of its own on some of a tenant's 10,000 names and 1,000 prefixes, told as auth tells them, and has
been asked about five permissions. Times are of the processor, as others may share the machine.
"""

import argparse
import asyncio
import random
import uuid
from dataclasses import replace
from time import thread_time_ns
from typing import Final

import msgspec
import psutil

from libs.common.access.authority import Authority, Told
from libs.common.access.guard import insist
from libs.common.access.roles import ROLES
from libs.common.contracts.auth import Access, AccessRule
from libs.common.errors import Refusal, missing
from libs.common.principal import Principal

# What a member that trains and registers models is asked about.
ASKED: Final = ("experiment.read", "run.log", "run.read", "model.read", "model.register")
NAMES: Final = 10_000
TEAMS: Final = 1_000
DECISIONS: Final = 200_000
_MISSING: Final = missing("not found")


def a_name(draw: random.Random) -> str:
    """One of the names of a tenant."""
    team, number = divmod(draw.randrange(NAMES), NAMES // TEAMS)
    return f"team-{team:04}/{number}"


def told_as_json(subject: str, grants: int, draw: random.Random) -> bytes:
    """What auth answers about a member: names and teams' prefixes, every tenth denied."""
    rules = [AccessRule(rule_id="role:viewer", effect="allow", permissions=["token.own"])]
    for number in range(grants):
        name = a_name(draw)
        rules.append(
            AccessRule(
                rule_id="",
                effect="deny" if number % 10 == 9 else "allow",
                permissions=sorted(ROLES["contributor"]),
                kind="model" if number % 5 == 0 else "experiment",
                workspace_id=1,
                pattern=name if number % 2 else f"{name.partition('/')[0]}/*",
            )
        )
    access = Access(subject=subject, status="active", rules=rules)
    return msgspec.json.encode(Told(version=1, access=access))


def principal_of(number: int) -> Principal:
    """The principal of a member."""
    return Principal(
        tenant="00000000-0000-0000-0000-000000000001",
        tenant_no=1,
        workspace_id=1,
        subject=f"user:{uuid.UUID(int=number)}",
        actor="token",
        scopes=("*",),
        audience="tracking",
        epoch=1,
        expires_at=0,
        token="",
    )


def decided(principal: Principal, permission: str, name: str) -> bool:
    """Whether the guard lets it pass."""
    try:
        insist(principal, permission, name, "user:somebody", missing=_MISSING)
    except Refusal:
        return False
    return True


def report(what: str, times: list[int]) -> None:
    """Print the distribution of times, which are nanoseconds."""
    times.sort()
    p50, p99 = (times[int(len(times) * share)] / 1000 for share in (0.5, 0.99))
    print(f"{what}: P50 {p50:.1f} µs, P99 {p99:.1f} µs ({len(times)} times)")


async def measure(principals: int, grants: int) -> None:
    """Print the memory of all of them, and the times of first and of warm decisions."""
    draw = random.Random(4)
    answers: dict[str, bytes] = {}

    async def ask(principal: Principal) -> Told:
        return msgspec.json.decode(answers.pop(principal.subject), type=Told)

    authority = Authority(ask)
    known = [principal_of(number) for number in range(principals)]
    process = psutil.Process()
    before = process.memory_full_info().uss
    cold: list[int] = []
    for principal in known:
        answers[principal.subject] = told_as_json(principal.subject, grants, draw)
        start = thread_time_ns()
        ready = replace(principal, rights=await authority.rights(principal))
        decided(ready, ASKED[0], "team-0000/0")
        cold.append(thread_time_ns() - start)
        for permission in ASKED[1:]:
            decided(ready, permission, "team-0000/0")
    held = process.memory_full_info().uss - before
    print(f"{principals} principals with {grants} grants hold {held / 2**20:.1f} MiB")
    report("first decision, but for the way to auth", cold)
    warm: list[int] = []
    given: list[int] = []
    for _ in range(DECISIONS):
        principal = known[draw.randrange(principals)]
        permission = ASKED[draw.randrange(len(ASKED))]
        name = a_name(draw)
        start = thread_time_ns()
        rights = await authority.rights(principal)
        found = thread_time_ns()
        ready = replace(principal, rights=rights)
        replaced = thread_time_ns()
        decided(ready, permission, name)
        ended = thread_time_ns()
        warm.append(ended - replaced + found - start)
        given.append(replaced - found)
    report("warm decision: rights found, guard asked", warm)
    report("the principal given its rights, once a request", given)


def main() -> None:
    """Measure as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--principals", type=int, default=10_000)
    parser.add_argument("--grants", type=int, default=50)
    given = parser.parse_args()
    asyncio.run(measure(given.principals, given.grants))


if __name__ == "__main__":
    main()
