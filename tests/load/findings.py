"""All that one run of the bench found out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.load.caching import Found
from tests.load.carrying import Carried
from tests.load.crowd import Crowd
from tests.load.rounds import Key, Result
from tests.load.sides import OURS, SEPARATE, THEIRS
from tests.load.tally import Tally


@dataclass(frozen=True)
class Mixed:
    """The mixed load: what was asked for a second, what came of it, what caches had of it."""

    rate: float
    tally: Tally
    found: Found


@dataclass
class Findings:
    """The results by operation, side and clients; the rest by side.

    `rows` has acknowledged and committed rows by where they went and side, `memory` bytes by side,
    moment and group, `cold` the first reads of all runs, `bytes_each` those of a metric point on disk.
    """

    command: str
    machine: str
    results: Mapping[Key, Result]
    rows: Mapping[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    starts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    memory: Mapping[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    visible: Sequence[float] = field(default_factory=list)
    cold: Mapping[str, Tally] = field(default_factory=dict)
    bytes_each: Mapping[str, float] = field(default_factory=dict)
    mixed: Mapping[str, Mixed] = field(default_factory=dict)
    crowds: Mapping[str, Crowd] = field(default_factory=dict)
    carried: Mapping[str, Carried] = field(default_factory=dict)

    @property
    def operations(self) -> list[str]:
        """The measured operations in their order."""
        return list(dict.fromkeys(operation for operation, _, _ in self.results))

    @property
    def sides(self) -> list[str]:
        """The measured sides in their order."""
        return list(dict.fromkeys(side for _, side, _ in self.results))

    @property
    def clients(self) -> list[int]:
        """The numbers of clients in their order."""
        return list(dict.fromkeys(clients for _, _, clients in self.results))

    def multiple(self, operation: str, side: str, clients: int) -> float | None:
        """How many times the throughput of `mlflow server` it is; None where one is not known."""
        theirs = self.results.get((operation, THEIRS, clients))
        of_side = self.results.get((operation, side, clients))
        if theirs is None or of_side is None:
            return None
        return of_side.rate / theirs.rate if theirs.rate else float("inf")

    @property
    def lost(self) -> int:
        """Rows that were acknowledged and are not there."""
        return sum(max(0, expected - found) for expected, found in self.rows.values())

    def with_those_of(self, other: "Findings") -> "Findings":
        """Those of another run of other sides beside these."""
        return replace(
            self,
            results={**self.results, **other.results},
            rows={**self.rows, **other.rows},
            starts={**self.starts, **other.starts},
            memory={**self.memory, **other.memory},
            cold={**self.cold, **other.cold},
            bytes_each={**self.bytes_each, **other.bytes_each},
            mixed={**self.mixed, **other.mixed},
            crowds={**self.crowds, **other.crowds},
            carried={**self.carried, **other.carried},
        )


def verdict(found: Findings, floor: float) -> Sequence[str]:
    """What is wrong with the result; empty when nothing is."""
    wrong = [f"{lost} acknowledged rows are lost" for lost in [found.lost] if lost]
    ours = (OURS, SEPARATE)
    for (operation, side, clients), result in found.results.items():
        if side not in ours:
            continue
        if result.failed:
            wrong.append(f"{operation}: {result.failed} failed, such as {result.example}")
        multiple = found.multiple(operation, side, clients)
        if multiple is not None and multiple < floor:
            wrong.append(
                f"{operation}, {clients} clients: {multiple:.1f} times mlflow server,"
                f" under {floor:g}"
            )
    return [*wrong, *_beyond(found)]


def _beyond(found: Findings) -> list[str]:
    """What is wrong with what only the platform is asked for."""
    wrong = []
    for side, mixed in found.mixed.items():
        if mixed.tally.failed:
            wrong.append(f"{side}, mixed load: {mixed.tally.failed} failed: {mixed.tally.example}")
    for side, crowd in found.crowds.items():
        if crowd.errors:
            wrong.append(f"{side}, open connections: {crowd.errors} errors: {crowd.tally.example}")
    for side, carried in found.carried.items():
        if carried.wrong and side != THEIRS:
            wrong.append(f"{side}, artifact: {carried.wrong}")
    return wrong
