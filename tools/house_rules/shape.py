"""Rules about size and opening: short files, short functions, one sentence at the top."""

import ast
import re
from collections.abc import Iterator

from tools.house_rules.source import Finding, Source

FILE_LINES = 300
FUNCTION_LINES = 50
SENTENCE_END_INSIDE = re.compile(r"[.!?]\s+[A-Z]")


def file_length(source: Source) -> Iterator[Finding]:
    """A file stays under 300 lines; past that it becomes a package of the same name."""
    count = len(source.lines)
    if count > FILE_LINES:
        message = f"{count} lines, at most {FILE_LINES}: make it a package of the same name"
        yield source.find("file-length", FILE_LINES + 1, message)


def function_length(source: Source) -> Iterator[Finding]:
    """A function fits a screen: 50 lines from `def` to its last line."""
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                message = f"{node.name} has {count} lines, at most {FUNCTION_LINES}"
                yield source.find("function-length", node.lineno, message)


def module_sentence(source: Source) -> Iterator[Finding]:
    """A module opens with one sentence that says what it is; more may follow a blank line."""
    if not source.text.strip() and source.stem == "__init__":
        return
    text = ast.get_docstring(source.tree)
    if not text:
        yield source.find("module-sentence", 1, "the module does not say what it is")
        return
    opening = " ".join(text.split("\n\n")[0].split())
    if not opening.endswith((".", "?", "!")):
        yield source.find("module-sentence", 1, "the opening sentence has no end")
    elif SENTENCE_END_INSIDE.search(opening) and not _is_service_page(source):
        message = "the opening is one sentence; put the rest behind a blank line"
        yield source.find("module-sentence", 1, message)


def _is_service_page(source: Source) -> bool:
    """A service's own __init__ holds a paragraph: what it owns, and what it does not."""
    folders = source.folders
    return source.stem == "__init__" and len(folders) == 2 and folders[0] == "services"
