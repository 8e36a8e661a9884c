"""The rule about names that say nothing: utils, Manager, Helper, Impl."""

import ast
import re
from collections.abc import Iterator

from tools.house_rules.source import Finding, Source

FORBIDDEN = frozenset({"util", "utils", "manager", "helper", "helpers", "impl"})
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def forbidden_names(source: Source) -> Iterator[Finding]:
    """Nothing that is defined here is called utils, Manager, Helper or Impl, in any spelling."""
    for part in [*source.folders, source.stem]:
        if word := _forbidden_word(part):
            yield source.find("forbidden-name", 1, f"{part}: {word!r} says nothing")
    for node in source.nodes:
        for name in _defined_by(node):
            if word := _forbidden_word(name):
                line = getattr(node, "lineno", 1)
                yield source.find("forbidden-name", line, f"{name}: {word!r} says nothing")


def _defined_by(node: ast.AST) -> list[str]:
    """Names given by this node; imported names belong to others."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.alias) and node.asname:
        return [node.asname]
    return []


def _forbidden_word(name: str) -> str | None:
    words = (word.lower() for word in WORD.findall(name))
    return next((word for word in words if word in FORBIDDEN), None)
