"""`python -m tools.rehearse`: builds, then plays in namespaces of its own."""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.rehearse import dockerfile
from tools.rehearse.build import build
from tools.rehearse.play import HOSTS, play

REPOSITORY = Path(__file__).parents[2]
OWN_NAMESPACES = ["unshare", "--net", "--mount", "--propagation", "private"]


def main() -> int:
    """Build below a folder, play in a network where nothing else lives, and clean up."""
    parser = argparse.ArgumentParser(prog="python -m tools.rehearse", description=__doc__)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="leave the built files in place")
    options = parser.parse_args()
    stages = dockerfile.read((REPOSITORY / "deploy/Dockerfile").read_text())
    if options.inside:
        work = Path(options.inside)
        root = work / "image" / f"stage-{stages[-1].name}"
        (work / "hosts").write_text(HOSTS)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["mount", "--bind", work / "hosts", "/etc/hosts"], check=True)
        asyncio.run(play(REPOSITORY, work, stages[-1], root, dict(os.environ)))
        return 0
    work = Path(tempfile.mkdtemp(prefix="maestro-rehearsal-"))
    # Services run as a user of their own, who must be able to reach the image's root.
    work.chmod(0o711)
    try:
        root = build(REPOSITORY, stages, work / "image", print)
        size = sum(file.lstat().st_size for file in root.rglob("*") if not file.is_symlink())
        print(f"built, {size / 1e6:.0f} MB with its base", flush=True)
        again = [sys.executable, "-m", "tools.rehearse", "--inside", str(work)]
        return subprocess.run([*OWN_NAMESPACES, *again], cwd=REPOSITORY, check=False).returncode
    finally:
        if options.keep:
            print(f"kept {work}")
        else:
            shutil.rmtree(work)


if __name__ == "__main__":
    sys.exit(main())
