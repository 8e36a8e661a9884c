"""Rules against work that passes for done: marks, stubs and skipped tests."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tools.house_rules.source import Finding, Source

MARKS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SKIPPING = frozenset({"skip", "skipif", "skipIf", "skipUnless", "xfail", "importorskip"})


def unfinished_marks(source: Source) -> Iterator[Finding]:
    """What is unfinished stands in an issue, not in a comment or a docstring."""
    if not MARKS.search(source.text):
        return
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type == tokenize.COMMENT and (mark := MARKS.search(token.string)):
            yield source.find("unfinished", token.start[0], f"{mark.group()} in a comment")
    for node in source.nodes:
        if isinstance(node, ast.Constant) and id(node) in source.docstrings:
            mark = MARKS.search(str(node.value))
            if mark:
                yield source.find("unfinished", node.lineno, f"{mark.group()} in a docstring")


def unfinished_code(source: Source) -> Iterator[Finding]:
    """No NotImplementedError, and no body of dots outside a protocol or an overload."""
    for node in source.nodes:
        if isinstance(node, ast.Name) and node.id == "NotImplemented" + "Error":
            yield source.find("unfinished", node.lineno, f"{node.id}: write it or leave it out")
    yield from _dotted_bodies(source, source.tree.body, inside_protocol=False)


def _dotted_bodies(
    source: Source, body: list[ast.stmt], *, inside_protocol: bool
) -> Iterator[Finding]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            protocol = any("Protocol" in ast.unparse(base) for base in node.bases)
            yield from _dotted_bodies(source, node.body, inside_protocol=protocol)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            overload = any("overload" in ast.unparse(mark) for mark in node.decorator_list)
            if _is_dots(node.body[-1]) and not inside_protocol and not overload:
                yield source.find("unfinished", node.lineno, f"{node.name} has no body")


def _is_dots(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and statement.value.value is ...
    )


def skipped_tests(source: Source) -> Iterator[Finding]:
    """A test that cannot run is repaired or removed; it is not skipped."""
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in SKIPPING:
            owner = ast.unparse(node.value)
            if owner in {"pytest", "pytest.mark", "mark", "unittest"}:
                message = f"{owner}.{node.attr}: repair the test or remove it"
                yield source.find("skipped-test", node.lineno, message)
