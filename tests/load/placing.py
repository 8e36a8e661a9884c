"""Puts measured tables between their markers in a page of the documents."""

from collections.abc import Sequence
from pathlib import Path


def place(page: Path, mark: str, lines: Sequence[str]) -> None:
    """Replace what stands between `<!-- mark … -->` and `<!-- /mark -->`; both must be there."""
    text = page.read_text(encoding="utf-8")
    before, opening, rest = text.partition(f"<!-- {mark}")
    words, arrow, inside = rest.partition("-->")
    _, closing, after = inside.partition(f"<!-- /{mark} -->")
    if not (opening and arrow and closing):
        raise LookupError(f"{page} has no place for {mark}")
    body = "\n".join(lines)
    page.write_text(
        f"{before}{opening}{words}{arrow}\n\n{body}\n\n{closing}{after}", encoding="utf-8"
    )
