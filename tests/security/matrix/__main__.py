"""The isolation report: every cell asked, counted by who asks, and written to docs/isolation.md."""

import argparse
import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from libs.embedded import platform, terminal
from tests.security.matrix.asks import ASKS
from tests.security.matrix.cells import COLUMNS, Cell, Row
from tests.security.matrix.operations import LEFT_OUT, Operation, asked
from tests.security.matrix.people import people_of
from tests.security.matrix.platform import platform_of_its_own
from tests.security.matrix.things import Maker, words_of

REPORT: Final = Path(__file__).parents[3] / "docs/isolation.md"
HEAD: Final = """# Isolation, cell by cell

Every operation behind the gateway, asked about live things of one tenant's owner by everybody who
should not get through; written by `python -m tests.security.matrix --write`. The same cells are
tests, and so are twenty breaches (a dropped predicate, a dropped policy, a swapped cache key, a
passed header, …), each of which turns a cell red.

| who asks | what must come | cells | leaks |
|---|---|---:|---:|
"""
MUST: Final = {
    "foreign": "another tenant's owner: word for word, and for as many statements, what is missing",
    "forged": "the same, who sends a principal of ours along: the same",
    "elsewhere": "our owner in another workspace: the same",
    "nobody": "our member without any rule: the same, or 403",
    "scoped": "our owner by a token for another permission: the same, or 403",
    "viewer": "our viewer: what a viewer may read, else 403 with permission, resource, whom to ask",
    "nothing": "without a credential: 401",
    "expired": "by an expired token: 401",
    "revoked": "by a revoked token: 401",
    "owner": "our owner: served",
}


async def cells_of_all() -> list[Cell]:
    """Every cell, on parts and a platform of their own."""
    found: list[Cell] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        async with (
            platform(home, {**os.environ, "MAESTRO_PORT": "0"}, terminal()) as parts,
            platform_of_its_own(parts.environment, Path(folder)) as running,
        ):
            people = await people_of(running)
            maker = Maker(running, people.owner)
            shared = await maker.things()
            for name, operation in asked().items():
                ask = ASKS[name]
                things = await maker.things(words_of(ask)) if ask.kind == "act" else shared
                found += await Row(running, people, operation, ask).cells(things)
    return found


def report(cells: Sequence[Cell], operations: Sequence[Operation]) -> str:
    """The report's text."""
    asked_by, leaks = Counter(c.who for c in cells), Counter(c.who for c in cells if c.fault)
    lines = [f"| {MUST[who]} | | {asked_by[who]} | {leaks[who]} |" for who in COLUMNS]
    lines = [line.replace(": ", " | ", 1).replace(" | | ", " | ") for line in lines]
    lines += [f"| all | | {len(cells)} | {sum(leaks.values())} |", "", "## Operations", ""]
    lines += ["| operation | permission | cells | leaks |", "|---|---|---:|---:|"]
    for one in sorted(operations, key=lambda each: (each.service, each.path, each.method)):
        of_row = [cell for cell in cells if cell.route == one.name]
        bad = sum(bool(cell.fault) for cell in of_row)
        where = f"{one.service}: {one.method} `{one.path}`"
        lines.append(f"| {where} | {one.permission} | {len(of_row)} | {bad} |")
    lines += ["", "## Left out", ""]
    lines += [f"- `{name}`: {why}" for name, why in sorted(LEFT_OUT.items())]
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    """Ask, print, and write where that was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.matrix", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/isolation.md")
    given = parser.parse_args()
    text = report(asyncio.run(cells_of_all()), list(asked().values()))
    print(text)
    if given.write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
