"""A fixed mix of requests of many tenants' members, one in twenty denied, and what is right of it."""

import json
import random
from typing import Final

from tests.load.operations import Site
from tests.load.tenants import HIDDEN, KEYS, PAGE, Member

# Of twenty requests in this order; what is denied is in turn one of three.
CYCLE: Final = (
    *("log-metric", "get-run", "log-metric", "get-run", "search-experiments"),
    *("log-metric", "get-run", "log-metric", "log-metric", "denied"),
    *("get-run", "log-metric", "get-run", "log-metric", "search-experiments"),
    *("log-metric", "get-run", "log-metric", "get-run", "log-metric"),
)
# Each with the status and the words that are right where checks are made.
DENIED: Final = (
    ("get-hidden", 404, b"RESOURCE_DOES_NOT_EXIST"),
    ("get-denied", 404, b"RESOURCE_DOES_NOT_EXIST"),
    ("log-shared", 403, b"PERMISSION_DENIED"),
)
_FIRST_STEP: Final = 1_000_000
_STEP_MARK: Final = b"7777777"
Known = tuple[str, int, bytes]


class Mix:
    """Asks for what the members are let into, and in every twentieth request for what not.

    Where checks are `constant` the same requests are all allowed.
    """

    def __init__(self, place: tuple[str, int], members: list[Member], *, constant: bool) -> None:
        self._place = place
        self._members = members
        self._constant = constant
        self._asked: list[dict[str, list[tuple[bytes, bytes]]]] = []
        self._dice = random.Random(5)
        self._number = 0
        self._step = _FIRST_STEP
        # Of the denied ones, those that were answered as is right.
        self.denied = 0
        for member in members:
            self._asked.append(self._requests(member))

    def renew(self, number: int) -> None:
        """The member of this number has another token."""
        self._asked[number] = self._requests(self._members[number])

    def request(self) -> tuple[bytes, Known]:
        """The next of the cycle, of any tenant."""
        turn, at = divmod(self._number, len(CYCLE))
        self._number += 1
        name, status, word = CYCLE[at], 200, b""
        if name == "denied":
            name, status, word = DENIED[turn % len(DENIED)]
        choices = self._asked[self._dice.randrange(len(self._asked))][name]
        request, named = choices[self._number % len(choices)]
        if status == 200 or self._constant:
            status, word = 200, named
        if name.startswith("log"):
            self._step += 1
            request = request.replace(_STEP_MARK, b"%d" % self._step)
        return request, (name, status, word)

    def right(self, known: Known, body: bytes) -> bool:
        """Whether an answer 200 was due, and is whole."""
        name, status, word = known
        if status != 200:
            return False
        if name == "search-experiments":
            hidden = not self._constant and any(other.encode() in body for other in HIDDEN)
            return body.count(b'"experiment_id"') == PAGE and not hidden
        if name.startswith("log"):
            return body.strip() == b"{}"
        return word in body and (name != "get-run" or body.count(b'"key"') >= KEYS)

    def refused(self, known: Known, status: int, body: bytes) -> bool:
        """Whether this refusal was due."""
        _, due, word = known
        right = status == due and word in body
        self.denied += right
        return right

    def _requests(self, member: Member) -> dict[str, list[tuple[bytes, bytes]]]:
        """What the member asks, by name, each with the run that a right answer names."""
        site = Site(*self._place, member.token)
        page = json.dumps({"max_results": PAGE, "view_type": "ACTIVE_ONLY"}).encode()
        runs = member.runs
        return {
            "log-metric": [_log(site, run) for run in runs["written"]],
            "get-run": [_get(site, run) for run in runs["read"]],
            "search-experiments": [(site.request("POST", "experiments/search", page), b"")],
            "get-hidden": [_get(site, run) for run in runs["hidden"]],
            "get-denied": [_get(site, run) for run in runs["denied"]],
            "log-shared": [_log(site, run) for run in runs["shared"]],
        }


def _get(site: Site, run: str) -> tuple[bytes, bytes]:
    return site.request("GET", f"runs/get?run_uuid={run}&run_id={run}"), run.encode()


def _log(site: Site, run: str) -> tuple[bytes, bytes]:
    point = {"run_uuid": run, "run_id": run, "key": "loss", "value": 0.123456, "timestamp": 1}
    body = json.dumps({**point, "step": int(_STEP_MARK)}).encode()
    return site.request("POST", "runs/log-metric", body), b""
