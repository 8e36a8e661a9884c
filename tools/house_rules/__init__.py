"""The rules of this repository that no ready-made linter knows.

Each rule is a function from one source file to its findings; `python -m tools.house_rules`
runs them all over the tracked files. What they ask for, and why, stands in CONTRIBUTING.md.
"""

from collections.abc import Iterable
from pathlib import Path

from tools.house_rules import environment, honesty, names, places, shape, sql
from tools.house_rules.source import Finding, Source, tracked_files

PYTHON_RULES = (
    shape.file_length,
    shape.function_length,
    shape.module_sentence,
    names.forbidden_names,
    environment.reads_environment,
    environment.works_at_import,
    honesty.unfinished_marks,
    honesty.unfinished_code,
    honesty.skipped_tests,
    sql.place_of_sql,
    sql.built_sql,
)
TEXT_RULES = (places.index_addresses, places.machine_paths, places.lock_files)


def findings_of(source: Source) -> list[Finding]:
    """Return everything the rules say about one file, in the order of its lines."""
    rules = TEXT_RULES + (PYTHON_RULES if source.is_python else ())
    return sorted(finding for rule in rules for finding in rule(source))


def check(root: Path, paths: Iterable[str] | None = None) -> list[Finding]:
    """Return the findings of all files that git tracks or would track under `root`."""
    chosen = tracked_files(root) if paths is None else paths
    return [
        finding
        for path in chosen
        if (source := Source.read(root, path)) is not None
        for finding in findings_of(source)
    ]
