"""The cells: who asks for what, what must come of it, and what came."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from libs.common.access.roles import ROLES
from libs.common.http.calling import Reply
from libs.common.principal import PRINCIPAL_HEADER
from tests.security.matrix.ask import Ask
from tests.security.matrix.counting import statements
from tests.security.matrix.operations import Operation
from tests.security.matrix.people import People
from tests.security.matrix.platform import Platform
from tests.security.matrix.things import CANARY, Things, no_things

# Whoever is in another place gets the answer of what is not there; whoever may less is refused.
# `forged` is the foreigner who sends a principal of the owner's along.
STRANGERS: Final = ("foreign", "forged", "elsewhere")
TOKEN_OF: Final = {"forged": "foreign"}
WITHOUT: Final = ("nobody", "scoped")
LOCKED_OUT: Final = ("nothing", "expired", "revoked")
COLUMNS: Final = (*STRANGERS, *WITHOUT, "viewer", *LOCKED_OUT, "owner")


@dataclass(frozen=True)
class Cell:
    """One request by somebody; `fault` says what was wrong with the answer, '' where all is well."""

    route: str
    who: str
    status: int
    fault: str


class Row:
    """One operation, asked by everybody about things that are really there."""

    def __init__(self, platform: Platform, people: People, operation: Operation, ask: Ask) -> None:
        self._platform = platform
        self._people = people
        self._operation = operation
        self._ask_of_route = ask

    async def cells(self, things: Things, columns: tuple[str, ...] = COLUMNS) -> list[Cell]:
        """The row's cells; the owner's request comes last, as it may change the things."""
        found = []
        for who in columns:
            if who == "elsewhere" and self._ask_of_route.of_tenant:
                continue  # it is no other place for what lies in no workspace
            # A request of the same form comes first, so that caches are as warm for either.
            await self._ask(who, no_things())
            reply, cost = await self._counted(who, things)
            fault = await self._fault(who, things, reply, cost)
            found.append(Cell(self._operation.name, who, reply.status, fault))
        return found

    async def _fault(self, who: str, things: Things, reply: Reply, cost: int) -> str:
        if reply.status >= 500:
            return f"answered {reply.status}: {reply.body[:200]!r}"
        if who in LOCKED_OUT:
            return "" if reply.status == 401 else f"let in: {reply.status}"
        if who == "owner":
            return "" if reply.status < 400 else f"refused its owner: {reply.body[:200]!r}"
        if who == "viewer":
            return self._of_viewer(reply)
        if self._ask_of_route.kind in ("own", "make") or who in WITHOUT:
            by_itself = self._of_itself(who, reply)
            if by_itself is not None:
                return by_itself
        return " ".join(await self._leaks(who, things, reply, cost))

    def _of_itself(self, who: str, reply: Reply) -> str | None:
        """What is wrong with an answer, where that shows without a second one to compare with."""
        kind = self._ask_of_route.kind
        if kind == "own":
            return "shows the canary" if CANARY.encode() in reply.body else ""
        if kind == "make":
            return self._of_maker(who, reply)
        return self._of_outsider(reply) if self._ask_of_route.of_tenant else None

    def _of_viewer(self, reply: Reply) -> str:
        if self._ask_of_route.of_tenant and reply.status == 404:
            return ""  # what is another's own is not there for a viewer
        if self._operation.permission in ROLES["viewer"]:
            return "" if reply.status < 400 else f"refused a viewer: {reply.body[:200]!r}"
        words = reply.body.decode(errors="replace")
        helpful = self._operation.permission in words and "Ask " in words
        return "" if reply.status == 403 and helpful else f"let a viewer: {reply.status} {words}"

    def _of_outsider(self, reply: Reply) -> str:
        if reply.status in (403, 404) or (reply.status == 200 and CANARY not in str(reply.body)):
            return ""
        return f"let somebody without rights: {reply.status} {reply.body[:200]!r}"

    def _of_maker(self, who: str, reply: Reply) -> str:
        if who in WITHOUT:
            return "" if reply.status == 403 else f"made something: {reply.status}"
        return "" if reply.status < 400 else f"refused in its own place: {reply.body[:200]!r}"

    async def _leaks(self, who: str, things: Things, reply: Reply, cost: int) -> list[str]:
        """Every way in which an answer tells somebody more than that nothing is there."""
        absent = no_things()
        missing, cost_of_missing = await self._counted(who, absent)
        shown = things.hidden_in(reply.body.decode(errors="replace"))
        expected = absent.hidden_in(missing.body.decode(errors="replace"))
        return list(self._differences((reply, shown, cost), (missing, expected, cost_of_missing)))

    def _differences(
        self, got: tuple[Reply, str, int], expected: tuple[Reply, str, int]
    ) -> Iterator[str]:
        (reply, shown, cost), (missing, wanted, cost_of_missing) = got, expected
        if reply.status != missing.status:
            yield f"status {reply.status}, {missing.status} for what is missing."
        if shown != wanted:
            yield f"{shown[:300]!r} is not {wanted[:300]!r}."
        if self._ask_of_route.kind != "list" and reply.status < 400:
            yield f"succeeded: {shown[:300]!r}."
        if CANARY in shown.replace("=canary", "").replace("canary.txt", ""):
            yield f"shows the canary: {shown[:300]!r}."
        if cost != cost_of_missing and not self._ask_of_route.waits:
            yield f"cost {cost} statements, {cost_of_missing} for what is missing."

    async def _counted(self, who: str, things: Things) -> tuple[Reply, int]:
        with statements() as counted:
            reply = await self._ask(who, things)
        return reply, counted.count

    async def _ask(self, who: str, things: Things) -> Reply:
        ask, things = self._ask_of_route, things.with_new_names()
        return await self._platform.ask(
            None if who == "nothing" else getattr(self._people, TOKEN_OF.get(who, who)),
            self._operation.method,
            things.filled(ask.path),
            things.filled(ask.query) if self._operation.method == "GET" or ask.raw else "",
            None if ask.body is None or self._operation.method == "GET" else things.body(ask.body),
            ask.raw,
            {PRINCIPAL_HEADER: self._people.stolen} if who == "forged" else None,
        )
