"""Writes the generated descriptions, or with --check says which are out of date."""

import argparse
import sys
from pathlib import Path

from services import all_services
from tools.contracts import frozen
from tools.contracts.generated import generated_files
from tools.contracts.landscape import declared


def main(arguments: list[str]) -> int:
    """Compare or write; 1 when something is out of date or a promise would be broken."""
    options = _options(arguments)
    root = Path.cwd()
    landscape = declared(all_services())
    problems = landscape.mistakes()
    if not options.unpublished:
        problems += frozen.broken_promises(root, landscape.topics)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    wanted = generated_files(root, landscape)
    stale = [path for path in wanted if _differs(root / path, wanted[path])]
    for path in stale:
        if options.check:
            print(f"{path} is not what the services declare: run `make contracts`")
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(wanted[path], encoding="utf-8")
            print(f"wrote {path}")
    for path in _left_over(root, wanted):
        if options.check:
            print(f"{path} describes nothing any more: run `make contracts`")
        else:
            (root / path).unlink()
            print(f"removed {path}")
        stale.append(path)
    return 1 if options.check and stale else 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.contracts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    parser.add_argument(
        "--unpublished",
        action="store_true",
        help="freeze changed facts anew: for facts that no release has carried yet",
    )
    return parser.parse_args(arguments)


def _differs(file: Path, text: str) -> bool:
    return not file.is_file() or file.read_text(encoding="utf-8") != text


def _left_over(root: Path, wanted: dict[str, str]) -> list[str]:
    """Files in the generated folders that nothing generates any more."""
    folders = {path.rpartition("/")[0] for path in wanted if path.endswith(".json")}
    return sorted(
        path
        for folder in folders
        for file in (root / folder).glob("*.json")
        if (path := file.relative_to(root).as_posix()) not in wanted
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
