"""Run the embedded parts on a folder until killed; says their process ids when they are ready."""

import asyncio
import json
import os
import sys
from pathlib import Path

from libs.embedded import Progress, platform


async def main(home: Path) -> None:
    """Start, tell, and wait for the end."""
    progress = Progress(lambda text: print(text, file=sys.stderr))
    async with platform(home, {**os.environ, "MAESTRO_PORT": "0"}, progress) as parts:
        print(json.dumps(parts.pids), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
