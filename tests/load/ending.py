"""One revocation a second while others ask: a token ended for a new one, or a grant taken back."""

import asyncio
from typing import Any, Final

import aiohttp

from tests.load.mixing import Mix
from tests.load.tenants import SPARE, Member

EVERY_SECONDS: Final = 1.0
# Longer than a request takes, so that nobody asks with the old token any more.
_OVER_SECONDS: Final = 0.5
# After a second a revocation acts everywhere.
_ACTS_SECONDS: Final = 1.0
_OWN: Final = "/api/maestro/v1"


class Revocations:
    """Revokes in the members' tenants in turn, and sees that it acts."""

    def __init__(self, url: str, members: list[Member], mix: Mix, *, constant: bool) -> None:
        self._url = url
        self._members = members
        self._mix = mix
        self._constant = constant
        self._number = 0
        self.done = 0
        self.problems: list[str] = []

    async def run(self, enough: asyncio.Event) -> None:
        """One after another until it is enough; ends when all of them have acted."""
        async with aiohttp.ClientSession(self._url) as session, asyncio.TaskGroup() as group:
            while not enough.is_set():
                number = self._number % len(self._members)
                revoke = self._grant if self._number % 2 else self._token
                self._number += 1
                group.create_task(revoke(session, number))
                await asyncio.sleep(EVERY_SECONDS)

    async def _token(self, session: aiohttp.ClientSession, number: int) -> None:
        member = self._members[number]
        old, old_id = member.token, member.token_id
        # Not made with the old one: what a token made ends with it.
        rotate = f"{_OWN}/tokens/{old_id}/rotate"
        _, made = await _ask(session, "POST", rotate, old, {"overlap_hours": 1})
        member.token, member.token_id = made["token"], made["id"]
        self._mix.renew(number)
        await asyncio.sleep(_OVER_SECONDS)
        await _ask(session, "DELETE", f"{_OWN}/tokens/{old_id}", member.token)
        await self._acted(session, member, old, 401)

    async def _grant(self, session: aiohttp.ClientSession, number: int) -> None:
        member = self._members[number]
        owner = member.owner_token
        await _ask(session, "DELETE", f"{_OWN}/grants/{member.spare_grant}", owner)
        # Where checks are constant nobody asks for the grant.
        await self._acted(session, member, member.token, 200 if self._constant else 404)
        body = {
            "subject": member.subject,
            "role": "researcher",
            "kind": "experiment",
            "pattern": SPARE,
        }
        _, made = await _ask(session, "POST", f"{_OWN}/grants", owner, body)
        member.spare_grant = made["id"]

    async def _acted(
        self, session: aiohttp.ClientSession, member: Member, token: str, due: int
    ) -> None:
        """Look, when it must have acted, whether it has."""
        await asyncio.sleep(_ACTS_SECONDS)
        path = f"/api/2.0/mlflow/experiments/get?experiment_id={member.experiments['spare/0']}"
        status, body = await _ask(session, "GET", path, token)
        self.done += 1
        if status != due:
            self.problems.append(f"{status} instead of {due} a second after: {body}")


async def _ask(
    session: aiohttp.ClientSession, method: str, path: str, token: str, body: object = None
) -> tuple[int, Any]:
    """The status and the decoded answer; what changes something must succeed."""
    login = {"Authorization": f"Bearer {token}"}
    async with session.request(method, path, headers=login, json=body) as reply:
        text = await reply.text()
        assert method == "GET" or reply.ok, f"{method} {path}: {reply.status} {text}"
        return reply.status, await reply.json() if text else None
