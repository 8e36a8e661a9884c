"""Builds the image's file system: the Dockerfile's steps, one by one, on the stand-in base."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools.rehearse import base
from tools.rehearse.dockerfile import Stage


def build(repository: Path, stages: list[Stage], work: Path, say: Callable[[str], None]) -> Path:
    """The root of the last stage, below `work`."""
    shutil.rmtree(work, ignore_errors=True)
    plain = work / "base"
    base.make(plain)
    roots: dict[str, Path] = {}
    for stage in stages:
        roots[stage.name] = root = work / f"stage-{stage.name}"
        shutil.copytree(plain, root, symlinks=True)
        for word, rest in stage.steps:
            if word == "RUN":
                say(f"RUN {rest}")
                _run(repository, root, rest, say)
            elif word == "COPY":
                say(f"COPY {rest}")
                _copy(repository, roots, root, rest)
            elif word == "WORKDIR":
                (root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
    return roots[stages[-1].name]


def _copy(repository: Path, roots: dict[str, Path], root: Path, rest: str) -> None:
    words = shlex.split(rest)
    source_root = repository
    if words[0].startswith("--from="):
        source_root = roots[words.pop(0).removeprefix("--from=")]
    source, target = source_root / words[0].lstrip("/"), root / words[1].lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        unwanted = shutil.ignore_patterns("__pycache__") if source_root == repository else None
        shutil.copytree(source, target, symlinks=True, ignore=unwanted, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def _run(repository: Path, root: Path, line: str, say: Callable[[str], None]) -> None:
    for part in line.split(" && "):
        if " pip " in part:
            say("  installed by uv from its cache instead of pip: no network in here")
            _install(repository, root, shlex.split(part))
        else:
            environment = ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root"]
            shell = ["/bin/env", "-i", *environment, "/bin/sh", "-ec", part]
            subprocess.run(["unshare", "--mount", "--fork", f"--root={root}", *shell], check=True)


def _install(repository: Path, root: Path, words: list[str]) -> None:
    """A lock into the image's virtual environment or `--target`, hashes checked as pip would."""
    lock = repository / "requirements" / Path(words[words.index("-r") + 1]).name
    if "--target" in words:
        packages = root / words[words.index("--target") + 1].lstrip("/")
    else:
        (packages,) = (root / "app/lib").glob("python3.*/site-packages")
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline"]
    command += ["--require-hashes", "--no-deps", "--link-mode=copy", "--target", str(packages)]
    subprocess.run([*command, "-r", str(lock)], check=True)
