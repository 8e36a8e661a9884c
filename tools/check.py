"""`make check`: every static check in order, and all failures together at the end."""

import subprocess
import sys
import time
from dataclasses import dataclass

PYTHON = sys.executable


@dataclass(frozen=True)
class Step:
    """One check: a title a reader understands and the command that performs it."""

    title: str
    command: tuple[str, ...]


STEPS = (
    Step("format", (PYTHON, "-m", "ruff", "format", "--check", ".")),
    Step("lint", (PYTHON, "-m", "ruff", "check", ".")),
    Step("house rules", (PYTHON, "-m", "tools.house_rules")),
    Step("imports", (PYTHON, "-c", "from importlinter.cli import lint_imports_command as c; c()")),
    Step("types", (PYTHON, "-m", "mypy", "libs", "services", "tools", "tests")),
    Step("contracts", (PYTHON, "-m", "tools.contracts", "--check")),
)


def run(step: Step) -> str | None:
    """Perform one check; return what it printed when it failed, None when it passed."""
    begun = time.monotonic()
    done = subprocess.run(step.command, capture_output=True, text=True, check=False)
    word = "broken" if done.returncode else "kept"
    print(f"{step.title:<14}{word:<8}{time.monotonic() - begun:6.1f} s", flush=True)
    return done.stdout + done.stderr if done.returncode else None


def main(titles: list[str]) -> int:
    """Run all checks, or those named; 1 when one of them failed, 2 when one is unknown."""
    known = [step.title for step in STEPS]
    if unknown := set(titles) - set(known):
        print(f"no check {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return 2
    chosen = [step for step in STEPS if not titles or step.title in titles]
    failures = [(step, said) for step in chosen if (said := run(step)) is not None]
    for step, said in failures:
        print(f"\n── {step.title} ──\n{said.strip()}")
    if failures:
        print(f"\n{len(failures)} of {len(chosen)} checks broken: `make fix` repairs what it can")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
