"""Rules about SQL: where its text may stand, and that it is never put together from values."""

import ast
import re
from collections.abc import Iterator

from tools.house_rules.source import Finding, Source

STATEMENT = re.compile(
    r"""^\s*(?:
        SELECT\s | INSERT\s+INTO\s | UPDATE\s+\S+\s+(?:AS\s+\S+\s+)?SET\s | DELETE\s+FROM\s
      | WITH\s+(?:RECURSIVE\s+)?\w+\s*(?:\([^)]*\)\s*)?AS\s | MERGE\s+INTO\s | TRUNCATE\s
      | (?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+|UNIQUE\s+)?
        (?:TABLE|INDEX|ROLE|USER|SCHEMA|DATABASE|FUNCTION|POLICY|VIEW|TYPE|EXTENSION|SEQUENCE)\s
      | GRANT\s.+\s(?:ON|TO)\s | REVOKE\s.+\s(?:ON|FROM)\s | SET\s+(?:LOCAL|ROLE|SESSION)\s
      | LISTEN\s+\w+ | NOTIFY\s+\w+ | COPY\s+\w+ | VACUUM\b | ANALYZE\b
    )""",
    re.VERBOSE | re.DOTALL,
)
LOWER_CASE = re.compile(
    r"^\s*(?:select\s.+\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s)", re.DOTALL
)
FRAGMENT = re.compile(
    r"(?:^|\s)(?:WHERE|AND|OR|ORDER BY|GROUP BY|HAVING|LIMIT|OFFSET|UNION|VALUES|RETURNING"
    r"|(?:LEFT |INNER |CROSS )?JOIN|FROM|EXISTS)(?:\s|$|\()"
)
ALLOWED = frozenset({"store", "queries", "consumers", "migrations"})
RUNNERS = frozenset({"execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare"})
MARKER = re.compile(r"#\s*(?:built-sql:|noqa: S608 -)\s*\S+\s+\S+")


def place_of_sql(source: Source) -> Iterator[Finding]:
    """SQL stands in store, queries, consumers, migrations and libs/common only."""
    parts = [*source.folders, source.stem]
    if parts[0] not in {"services", "libs", "tools"} or parts[:2] == ["libs", "common"]:
        return
    if parts[0] == "services" and ALLOWED.intersection(parts):
        return
    for node in source.nodes:
        if not isinstance(node, ast.Constant) or id(node) in source.docstrings:
            continue
        if isinstance(node.value, str) and _is_statement(node.value):
            message = "SQL outside store, queries, consumers, migrations and libs/common"
            yield source.find("sql-place", node.lineno, message)


def built_sql(source: Source) -> Iterator[Finding]:
    """SQL is static text with parameters.

    A comment `# built-sql: reason` admits an exception: on the expression or above it for that
    expression, on a `def` line or above it for that function. So does `# noqa: S608 - reason`.
    """
    if source.folders[:1] not in (["services"], ["libs"], ["tools"]):
        return
    admitted = _admitted_lines(source)
    for node in source.nodes:
        how = _way_of_building(node)
        if how and node.lineno not in admitted:  # type: ignore[attr-defined]
            message = f"SQL put together by {how}: use parameters"
            yield source.find("built-sql", node.lineno, message)  # type: ignore[attr-defined]


def _is_statement(text: str) -> bool:
    return bool(STATEMENT.match(text) or LOWER_CASE.match(text))


def _is_sql_text(node: ast.expr) -> bool:
    """Whether a literal, or the fixed part of an f-string, reads as SQL or as a piece of it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _is_statement(node.value) or bool(FRAGMENT.search(node.value))
    if isinstance(node, ast.JoinedStr):
        return any(_is_sql_text(part) for part in node.values if isinstance(part, ast.Constant))
    return False


def _way_of_building(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr) and len(node.values) > 1 and _is_sql_text(node):
        return "an f-string"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return _way_of_operator(node)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add):
        return "+=" if _is_sql_text(node.value) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _way_of_call(node, node.func)
    return None


def _way_of_operator(node: ast.BinOp) -> str | None:
    if isinstance(node.op, ast.Mod):
        return "%" if _is_sql_text(node.left) else None
    both_fixed = isinstance(node.left, ast.Constant) and isinstance(node.right, ast.Constant)
    if not both_fixed and (_is_sql_text(node.left) or _is_sql_text(node.right)):
        return "+"
    return None


def _way_of_call(node: ast.Call, function: ast.Attribute) -> str | None:
    if function.attr in {"format", "format_map", "join", "replace"}:
        return f".{function.attr}()" if _is_sql_text(function.value) else None
    if function.attr in RUNNERS and node.args:
        first = node.args[0]
        if isinstance(first, ast.JoinedStr | ast.BinOp) and not _way_of_building(first):
            return f"an expression inside {function.attr}()"
    return None


def _admitted_lines(source: Source) -> set[int]:
    """Lines of the statements, or whole functions, that carry a marker with a reason."""
    admitted: set[int] = set()
    for node in source.nodes:
        if not isinstance(node, ast.stmt):
            continue
        last = node.end_lineno or node.lineno
        body = getattr(node, "body", None)
        header = body[0].lineno - 1 if body else last
        if _is_marked(source, node.lineno, header):
            whole = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            admitted.update(range(node.lineno, (last if whole else header) + 1))
    return admitted


def _is_marked(source: Source, first: int, last: int) -> bool:
    """Whether a marker stands on one of these lines, or alone on the line above them."""
    above = source.lines[first - 2].strip() if first > 1 else ""
    beside = source.lines[first - 1 : last]
    return bool(MARKER.match(above)) or any(MARKER.search(line) for line in beside)
