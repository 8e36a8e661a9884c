"""The code blocks of README.md, for tests that hold it to what it says."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """The texts of all blocks in a language, in their order."""
    return [text for found, text in BLOCK.findall(README.read_text()) if found == language]


def commands() -> list[str]:
    """Every command line of the shell blocks."""
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
