"""Rules about what a module may do by itself: no reading of the environment, no work at import."""

import ast
from collections.abc import Iterator

from tools.house_rules.source import Finding, Source

READERS = frozenset({"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"})


def reads_environment(source: Source) -> Iterator[Finding]:
    """Only entry points, as examples are, read the environment, and pass a mapping on."""
    if source.stem == "__main__" or source.folders[:1] in (["tests"], ["examples"]):
        return
    if source.folders[:2] == ["libs", "embedded"]:
        return
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in READERS and _is_os(node.value):
            message = f"os.{node.attr} outside an entry point: take a mapping"
            yield source.find("environment", node.lineno, message)
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            for alias in node.names:
                if alias.name in READERS:
                    message = f"os.{alias.name} outside an entry point: take a mapping"
                    yield source.find("environment", node.lineno, message)


def works_at_import(source: Source) -> Iterator[Finding]:
    """Importing a module only defines things: no loops, no contexts, no bare calls."""
    if source.folders[:1] == ["tests"]:
        return
    for statement in source.tree.body:
        if isinstance(statement, ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith):
            yield source.find("import-work", statement.lineno, "a module only defines things")
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call | ast.Await):
            yield source.find("import-work", statement.lineno, "a call for its effect at import")


def _is_os(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"os", "_os"}
