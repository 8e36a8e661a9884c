"""Server info."""

from tests.conformance.cases import BARE, BOTH, Case, Request
from tests.conformance.generated import Table
from tests.conformance.tables.making import case

SECTION = "Server info"
_ODD = ("/", "//", "/%20", "?", "?a=1&a=2", ";a")


def _asked(path: str) -> tuple[Case, ...]:
    methods = [case(f"by {m}", Request(m, path)) for m in ("HEAD", "POST", "PUT", "DELETE")]
    paths = [case(f"with {odd!r} at the end", Request("GET", path + odd)) for odd in _ODD]
    return (*methods, *paths)


TABLES = [
    Table(
        SECTION,
        "GET",
        path,
        prefixes=BARE if path.startswith("/") else BOTH,
        extra=_asked(path),
    )
    for path in ("/health", "/version", "3.0/mlflow/server-info")
]
