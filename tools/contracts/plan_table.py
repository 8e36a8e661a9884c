"""docs/limits.md's table of plans: what each allows, from the data that the services read."""

from collections.abc import Iterable
from typing import Final

import msgspec

from libs.common.contracts.plans import Plan

BEGIN: Final = "<!-- plans: written by `make contracts` -->"
END: Final = "<!-- /plans -->"
_MEANING: Final = {
    "tenant_rps": "requests/s of the tenant",
    "principal_rps": "requests/s of one principal",
    "read_rps": "reads/s",
    "write_rps": "writes/s",
    "search_rps": "searches/s",
    "artifact_rps": "transfers of artifacts/s",
    "concurrent": "requests at the same time",
    "listeners": "streams of live events at the same time",
    "body_bytes": "one request's body",
    "storage_bytes": "artifacts",
    "runs": "new runs a day",
    "members": "members",
    "workspaces": "workspaces",
    "token_days": "days of a token's life, at most",
}
_UNITS: Final = ("", " KiB", " MiB", " GiB", " TiB")


class PlaceMissingError(Exception):
    """The text has no place for the table."""


def placed(text: str, plans: Iterable[Plan]) -> str:
    """The text with the table between its markers; raises PlaceMissingError without them."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise PlaceMissingError(f"no place for the table: {BEGIN} … {END}")
    return f"{before}{BEGIN}\n\n{table(list(plans))}\n\n{END}{after}"


def table(plans: list[Plan]) -> str:
    """The table in Markdown, a column for each plan."""
    lines = [
        "| | " + " | ".join(plan.name for plan in plans) + " |",
        "|---" * (len(plans) + 1) + "|",
    ]
    for field in msgspec.structs.fields(Plan):
        if field.name == "name":
            continue
        values = " | ".join(_shown(field.name, getattr(plan, field.name)) for plan in plans)
        lines.append(f"| {_MEANING[field.name]} | {values} |")
    return "\n".join(lines)


def _shown(name: str, value: int) -> str:
    if not value:
        return "–"
    if not name.endswith("_bytes"):
        return f"{value:,}"
    unit = 0
    while value % 1024 == 0 and unit < len(_UNITS) - 1:
        value //= 1024
        unit += 1
    return f"{value:,}{_UNITS[unit]}"
