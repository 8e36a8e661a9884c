"""Prints every finding of the house rules and fails when there is one."""

import sys
from pathlib import Path

from tools.house_rules import check


def main(paths: list[str]) -> int:
    """Check the given paths, or the whole repository, and return the exit code."""
    findings = check(Path.cwd(), paths or None)
    for finding in findings:
        print(finding)
    print(f"house rules: {len(findings)} findings" if findings else "house rules: kept")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
