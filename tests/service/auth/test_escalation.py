"""No sequence of calls about roles and grants yields what nobody among the callers held."""

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from libs.common.access.rights import ALL_SCOPES, compile_rights
from tests.service.auth.colleagues import Person, join
from tests.service.auth.installation import Auth
from tests.service.auth.sampling import PATTERNS, PERMISSIONS_TRIED, Point, held

ROLES = ("viewer", "contributor", "reviewer", "admin", "owner", "one", "two")
LATER_SECONDS = 2 * 3600


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(auth: Auth) -> Person:
    """An owner, who sets each round up."""
    return await join(auth, "owner")


permissions = st.lists(st.sampled_from(PERMISSIONS_TRIED), min_size=1, max_size=4)
targets = st.one_of(
    st.just({"kind": "tenant"}),
    st.builds(lambda w: {"kind": "workspace", "workspace_id": w}, st.sampled_from((1, 2))),
    st.builds(
        lambda kind, w, pattern: {"kind": kind, "workspace_id": w, "pattern": pattern},
        st.sampled_from(("experiment", "model")),
        st.sampled_from((1, 2)),
        st.sampled_from(PATTERNS),
    ),
)
what = st.one_of(
    st.builds(lambda names: {"permissions": names}, permissions),
    st.builds(lambda role: {"role": role}, st.sampled_from(ROLES)),
)
ends = st.sampled_from(({}, {}, {"expires_in": 3600}, {"expires_in": 3 * 3600}))
grants = st.builds(
    lambda target, given_, end, effect: {**target, **given_, **end, "effect": effect},
    targets,
    what,
    ends,
    st.sampled_from(("allow", "deny")),
)
who = st.sampled_from((0, 1))
steps = st.one_of(
    st.tuples(st.just("grant"), who, who, grants),
    st.tuples(st.just("revoke"), who, st.integers(0, 5), st.none()),
    st.tuples(st.just("pass on"), who, who, st.integers(0, 5)),
    st.tuples(st.just("give"), who, who, st.sampled_from((*ROLES, None))),
    st.tuples(st.just("define"), who, st.sampled_from(("one", "two")), permissions),
    st.tuples(st.just("change"), who, st.sampled_from(("one", "two")), permissions),
)


class Plot:
    """Two members who help each other, and how much of what they try is granted."""

    def __init__(self, people: Sequence[Person], owner: Person) -> None:
        self.people = people
        self.owner = owner
        self.names = {name: f"{name}-{uuid4().hex[:10]}" for name in ("one", "two")}

    def role(self, name: str | None) -> str | None:
        """A role of this round by its short name."""
        return name and self.names.get(name, name)

    def grant(self, to: Person, body: dict[str, Any]) -> dict[str, Any]:
        """A grant's body."""
        role = {"role": self.role(body["role"])} if "role" in body else {}
        return {"subject": to.subject, **body, **role}

    async def held(self, times: Sequence[float]) -> list[set[Point]]:
        """What either of them may do, at each of the times."""
        told = [await person.told() for person in self.people]
        return [
            set[Point]().union(
                *(held(compile_rights(t.access, t.version, ALL_SCOPES, now)) for t in told)
            )
            for now in times
        ]

    async def do(self, kind: str, by: int, to: Any, more: Any) -> int:
        """Try a step; the status of the answer."""
        caller = self.people[by]
        entered = await caller.auth.exchange(caller.token, "auth")
        if entered.status != 200:
            return entered.status  # a denial of the workspace keeps them out of it altogether
        if kind == "revoke":
            return await self._revoke(caller, to)
        if kind == "pass on":
            return await self._pass_on(caller, self.people[to], more)
        if kind == "grant":
            reply = await caller.ask("POST", "/grants", self.grant(self.people[to], more))
        elif kind == "give":
            path = f"/members/{self.people[to].subject}/role"
            reply = await caller.ask("PUT", path, {"role": self.role(more)})
        elif kind == "define":
            body = {"name": self.role(to), "permissions": more}
            reply = await caller.ask("POST", "/roles", body)
        else:
            path = f"/roles/{self.role(to)}"
            reply = await caller.ask("PUT", path, {"permissions": more})
        return reply.status

    async def _pass_on(self, caller: Person, to: Person, number: int) -> int:
        """Grant without an end, or on all, what either of them was granted or denied."""
        found = await self._granted(number)
        if found is None:
            return 0
        what = {"role": found["role"]} if found["role"] else {"permissions": found["permissions"]}
        place = {"kind": found["kind"]}
        if found["workspace_id"]:
            place |= {"workspace_id": found["workspace_id"]}
        if number % 2:
            place |= {"pattern": found["pattern"]}
        reply = await caller.ask("POST", "/grants", {"subject": to.subject, **what, **place})
        return reply.status

    async def _revoke(self, caller: Person, number: int) -> int:
        found = await self._granted(number)
        if found is None:
            return 0
        return (await caller.ask("DELETE", f"/grants/{found['id']}")).status

    async def _granted(self, number: int) -> dict[str, Any] | None:
        listed: list[dict[str, Any]] = []
        for person in self.people:
            listed += (await self.owner.get(f"/grants?subject={person.subject}"))["grants"]
        return listed[number % len(listed)] if listed else None


@pytest.mark.slow
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    # Each example is a conversation; making a failing one shorter would take minutes.
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
@given(
    # Mostly one who may change access and holds little else, so that much is out of reach.
    roles=st.tuples(
        st.sampled_from(("one", "one", "one", "admin")),
        st.sampled_from(("one", "admin", "reviewer", None)),
    ),
    one=permissions.map(lambda names: [*names, "grant.manage", "role.manage", "member.manage"]),
    begin=st.lists(st.tuples(who, grants), min_size=1, max_size=4),
    sequence=st.lists(steps, min_size=4, max_size=8),
)
async def test_two_who_conspire_hold_nothing_that_neither_held(
    owner: Person,
    roles: tuple[str | None, str | None],
    one: list[str],
    begin: list[tuple[int, dict[str, Any]]],
    sequence: list[tuple[str, int, Any, Any]],
) -> None:
    plot = Plot([await join(owner.auth, None), await join(owner.auth, None)], owner)
    reply = await owner.ask("POST", "/roles", {"name": plot.role("one"), "permissions": one})
    assert reply.status == 201
    for person, role in zip(plot.people, roles, strict=True):
        path = f"/members/{person.subject}/role"
        assert (await owner.ask("PUT", path, {"role": plot.role(role)})).status == 200
    for number, body in begin:
        await owner.ask("POST", "/grants", plot.grant(plot.people[number], body))
    now = time.time()
    times = (now, now + LATER_SECONDS, now + 4 * LATER_SECONDS)
    before = await plot.held(times)
    for step in sequence:
        assert await plot.do(*step) < 500
        for has, had in zip(await plot.held(times), before, strict=True):
            assert has <= had, step
    owners = await owner.get("/access/who?permission=tenant.manage")
    assert owner.login in {each["login"] for each in owners["holders"]}


async def test_some_of_what_they_try_is_granted(auth: Auth, owner: Person) -> None:
    plot = Plot([await join(auth, "admin"), await join(auth, None)], owner)
    granted = [
        await plot.do("define", 0, "one", ["run.log", "role.manage"]),
        await plot.do("give", 0, 1, "one"),
        await plot.do("change", 1, "one", ["role.manage"]),
        await plot.do("grant", 0, 1, {"kind": "tenant", "role": "admin", "expires_in": 60}),
        await plot.do("revoke", 1, 0, None),
    ]
    assert granted == [201, 200, 200, 201, 204]
