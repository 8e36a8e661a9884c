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
PIN = re.compile(r"^(?P<name>[A-Za-z0-9][\w.\-\[\],]*)\s*(?P<rest>.*)$")


def index_addresses(source: Source) -> Iterator[Finding]:
    """Which package index is used is a matter of the machine, not of the repository."""
    for number, line in enumerate(source.lines, start=1):
        if match := INDEX.search(line):
            yield source.find("index-address", number, f"{match.group()} names a package index")


def machine_paths(source: Source) -> Iterator[Finding]:
    """A path of somebody's machine helps nobody else."""
    for number, line in enumerate(source.lines, start=1):
        if match := MACHINE.search(line):
            yield source.find("machine-path", number, f"{match.group()}/… is a machine's own path")


def lock_files(source: Source) -> Iterator[Finding]:
    """A lock file pins every package to one version with hashes, and names no address."""
    if not source.path.endswith(".lock"):
        return
    for number, line in _logical_lines(source.lines):
        if "://" in line or " @ " in line:
            yield source.find("lock-file", number, "an address in a lock file")
        pin = PIN.match(line)
        if pin is None:
            continue
        if not pin.group("rest").startswith("=="):
            yield source.find("lock-file", number, f"{pin.group('name')} is not pinned with ==")
        if "--hash=sha256:" not in line:
            yield source.find("lock-file", number, f"{pin.group('name')} carries no hash")


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
