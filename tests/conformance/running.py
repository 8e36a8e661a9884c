"""Asks both servers the cases of an operation, side by side, and compares."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from tests.conformance.cases import Case, Operation, Request, filled, kept
from tests.conformance.comparison import Ids, comparable, differences
from tests.conformance.servers import Answer, Pair, Server

_AT_THE_SAME_TIME: Final = 4
_numbers: Final = count(time.time_ns() // 10**6)


@dataclass
class Side:
    """A server and what its answers gave."""

    server: Server
    known: dict[str, str] = field(default_factory=dict)


@dataclass
class Talk:
    """A conversation with both servers, MLflow first."""

    sides: tuple[Side, Side]
    ids: Ids = field(default_factory=Ids)

    async def ask(self, request: Request) -> tuple[list[str], list[Any]]:
        """One request to both: where the answers differ, and the answers."""
        new = f"new{next(_numbers)}x"
        for side in self.sides:
            side.known["new"] = new
        answers = await asyncio.gather(*(_ask(side, request) for side in self.sides))
        for side, answer in zip(self.sides, answers, strict=True):
            _keep(side, request, answer)
        theirs, ours = map(comparable, answers)
        return differences(theirs, ours, self.ids), [theirs, ours]

    def know(self, name: str, value: str) -> None:
        """What a name stands for until an answer gives it."""
        for side in self.sides:
            side.known[name] = value


def talk(pair: Pair) -> Talk:
    """A conversation that has not begun, with a `$mark` that no other one has."""
    known = {"mark": f"mark{next(_numbers)}x"}
    return Talk((Side(pair.theirs, dict(known)), Side(pair.ours, dict(known))))


@dataclass(frozen=True)
class Outcome:
    """How a case went: the lines that differ, and both statuses of the case's own request."""

    operation: str
    case: str
    different: tuple[str, ...]
    theirs: Any = None
    ours: Any = None


async def outcomes(pair: Pair, operations: Sequence[Operation]) -> list[Outcome]:
    """All cases of all operations; those of one operation in their order."""
    turns = asyncio.Semaphore(_AT_THE_SAME_TIME)

    async def one(operation: Operation) -> list[Outcome]:
        async with turns:
            return await _operation(pair, operation)

    found = await asyncio.gather(*(one(operation) for operation in operations))
    return [outcome for each in found for outcome in each]


async def _operation(pair: Pair, operation: Operation) -> list[Outcome]:
    conversation = talk(pair)
    for request in operation.before:
        lines, answers = await conversation.ask(request)
        if lines or answers[0]["status"] != 200:
            raise AssertionError(f"before {operation.name}: {request} {lines} {answers}")
    return [await _case(conversation, operation, case) for case in operation.cases]


async def _case(conversation: Talk, operation: Operation, case: Case) -> Outcome:
    found, own = await conversation.ask(case.requests[0])
    done = any(answer["status"] < 300 for answer in own)
    for request in (*case.requests[1:], *(case.after if done else ())):
        lines, _ = await conversation.ask(request)
        found.extend(f"then {request.method} {request.path} {line}" for line in lines)
    return Outcome(operation.name, case.name, tuple(found), *own)


async def _ask(side: Side, request: Request) -> Answer:
    return await side.server.ask(
        filled(request.method, side.known),
        request.target(side.known),
        request.content(side.known),
        request.content_type,
    )


def _keep(side: Side, request: Request, answer: Answer) -> None:
    if request.keep and answer.status == 200:
        body = json.loads(answer.body)
        side.known |= {name: kept(body, path) for name, path in request.keep.items()}
