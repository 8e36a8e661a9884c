"""One file as the rules see it, and what a rule has to say about it."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TEXT_SUFFIXES = frozenset(
    {".py", ".sql", ".md", ".toml", ".lock", ".txt", ".yaml", ".yml", ".json", ".ini", ".cfg"}
    | {".sh", ".env", ".in", ""}
)


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule at one line."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


@dataclass(frozen=True)
class Source:
    """A tracked text file: its path relative to the root, with slashes, and its text."""

    path: str
    text: str

    @classmethod
    def read(cls, root: Path, path: str) -> "Source | None":
        """Read a file; None when it is no text or is gone from the working tree."""
        file = root / path
        if file.suffix not in TEXT_SUFFIXES or not file.is_file():
            return None
        try:
            return cls(path, file.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            return None

    @property
    def is_python(self) -> bool:
        """Whether the rules for Python modules apply."""
        return self.path.endswith(".py")

    @property
    def folders(self) -> list[str]:
        """The folder names above the file, outermost first."""
        return self.path.split("/")[:-1]

    @property
    def stem(self) -> str:
        """The file's name without its suffix."""
        return Path(self.path).stem

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines without their ends."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of a Python module."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree; walking it once serves every rule."""
        return list(ast.walk(self.tree))

    @cached_property
    def docstrings(self) -> frozenset[int]:
        """The identities of the nodes that are documentation rather than data."""
        owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        found = set()
        for node in self.nodes:
            first = node.body[0] if isinstance(node, owners) and node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
        return frozenset(found)

    def find(self, rule: str, line: int, message: str) -> Finding:
        """Say that a rule is broken at a line of this file."""
        return Finding(self.path, line, rule, message)


def tracked_files(root: Path) -> list[str]:
    """Return what git tracks or would add, so that a new file is checked before its commit."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    return sorted({path for path in listed.stdout.split("\0") if path})
