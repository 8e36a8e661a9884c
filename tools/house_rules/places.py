"""Rules about what a repository must not carry: index addresses, machine paths, loose pins."""

import re
from collections.abc import Iterator

from tools.house_rules.source import Finding, Source

# Written with brackets so that the patterns do not find themselves.
INDEX = re.compile(
    r"pypi[.]org/simple|files[.]pythonhosted[.]org|registry[.]npmjs[.]org|repo1[.]maven[.]org"
    r"|repo[.]maven[.]apache[.]org|proxy[.]golang[.]org|deb[.]debian[.]org"
    r"|--(?:extra-)?index-ur[l]|--find-link[s]|--trusted-hos[t]"
)
MACHINE = re.compile(r"(?<![\w.<>}])/(?:work|root|home/\w+|tmp|Users/\w+|opt/wheels)(?=/\w)")
SHA256 = re.compile(r"(?:^|[\s:])[0-9a-f]{64}(?:\s|$)")


def index_addresses(source: Source) -> Iterator[Finding]:
    """Which package index is used is a matter of the machine, not of the repository."""
    for number, line in enumerate(source.lines, start=1):
        if match := INDEX.search(line):
            yield source.find("index-address", number, f"{match.group()} names a package index")


def machine_paths(source: Source) -> Iterator[Finding]:
    """A path of somebody's machine helps nobody else; a container's own is another matter."""
    if source.folders[:1] == ["deploy"]:
        return
    for number, line in enumerate(source.lines, start=1):
        if match := MACHINE.search(line):
            yield source.find("machine-path", number, f"{match.group()}/… is a machine's own path")


def lock_files(source: Source) -> Iterator[Finding]:
    """A lock file gives every package one version and a SHA-256, and names no address."""
    if not source.path.endswith(".lock"):
        return
    for number, line in _logical_lines(source.lines):
        if "://" in line or " @ " in line:
            yield source.find("lock-file", number, "an address in a lock file")
        name = line.split()[0]
        if not SHA256.search(line):
            yield source.find("lock-file", number, f"{name} carries no hash")
        if source.folders == ["requirements"] and "==" not in name:
            yield source.find("lock-file", number, f"{name} is not pinned with ==")


def _logical_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Join continued lines and drop comments; yields the number of the first line of each."""
    gathered, start = "", 0
    for number, line in enumerate(lines, start=1):
        text = line.split(" #")[0].rstrip() if not line.lstrip().startswith("#") else ""
        start = start or number
        gathered += text.rstrip("\\")
        if not text.endswith("\\"):
            if gathered.strip():
                yield start, gathered.strip()
            gathered, start = "", 0
