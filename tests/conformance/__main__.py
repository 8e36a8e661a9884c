"""`python -m tests.conformance`: compares and prints; with `--write` the page in docs/ is written."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from libs.embedded import Progress, platform
from tests.conformance.report import PAGE, page, unlisted
from tests.conformance.running import outcomes
from tests.conformance.servers import compared
from tests.conformance.tables import operations
from tests.load.peer import one_worker


async def main(*, write: bool) -> int:
    """Start everything, compare, and tell; 1 where something differs that is not listed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = {**os.environ, "MAESTRO_PORT": "0"}
        async with platform(folder / "home", home, Progress(print)) as parts:
            url = parts.environment["MAESTRO_POSTGRES_URL"]
            async with (
                one_worker(url, folder / "peer") as peer,
                compared(parts.environment, peer, folder) as pair,
            ):
                asked = operations()
                found = await outcomes(pair, asked)
    text = page(asked, found)
    if write:
        PAGE.write_text(text, encoding="utf-8")
    differing = unlisted(found)
    print(text if not write else f"{PAGE} is written.", *differing, sep="\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(write="--write" in sys.argv[1:])))
