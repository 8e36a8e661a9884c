"""Ways to write a path that somebody once took for another one, most of them published as CVEs.

Each is the text that the handler is to see; a place encodes it for where it stands in a request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote


@dataclass(frozen=True)
class Aim:
    """A file that must not be reached: the way up and down to it, and its place on the disk."""

    relative: str
    absolute: str


Trick = Callable[[Aim], str]


def _each(old: str, new: str) -> Trick:
    return lambda aim: aim.relative.replace(old, new)


def _quoted(times: int) -> Trick:
    def trick(aim: Aim) -> str:
        text = aim.relative
        for _ in range(times):
            text = quote(text, safe="").replace(".", "%2e")
        return text

    return trick


TRICKS: Final[Mapping[str, Trick]] = {
    # CVE-2023-1177, 2023-6909, 2023-6974, 2023-6975
    "climbs": lambda aim: aim.relative,
    "climbs out of a folder": lambda aim: f"a/../{aim.relative}",
    "climbs by the last part": lambda aim: f"{aim.relative}/..",
    "climbs with doubled slashes": _each("/", "//"),
    "climbs with the place itself between": _each("../", ".././"),
    "climbs four by four": _each("../", "....//"),
    "climbs with blanks": _each("../", "../ "),
    # CVE-2023-2780
    "climbs with backslashes": _each("/", "\\"),
    "climbs with both": _each("../", "..\\/"),
    "climbs with encoded backslashes": _each("/", "%5c"),
    "climbs with backslashes encoded twice": _each("/", "%255c"),
    "share": lambda aim: f"\\\\127.0.0.1\\c$\\{aim.absolute}",
    "drive": lambda aim: f"C:{aim.absolute}",
    "drive and backslashes": lambda aim: "C:" + aim.absolute.replace("/", "\\"),
    # CVE-2024-1560, 2024-1558
    "encoded": _quoted(1),
    "encoded twice": _quoted(2),
    "encoded three times": _quoted(3),
    "encoded seven times": _quoted(7),
    "only dots encoded": _each("..", "%2e%2e"),
    "one dot encoded twice": _each("..", ".%252e"),
    "only slashes encoded": _each("/", "%2f"),
    "overlong dots": _each("..", "%c0%ae%c0%ae"),
    "overlong slashes": _each("/", "%c0%af"),
    "overlong in three bytes": _each("..", "%e0%80%ae%e0%80%ae"),
    "wide dots": _each("..", "\uff0e\uff0e"),
    "wide slashes": _each("/", "\uff0f"),
    "old style of Unicode": _each("..", "%u002e%u002e"),
    # CVE-2024-1593
    "parameters": _each("..", "..;"),
    "parameters before": lambda aim: f"a;/{aim.relative}",
    "one parameter": lambda aim: f";{aim.relative}",
    "encoded parameters": _each("..", "..%3b"),
    # CVE-2024-1594, 2024-1483, 2023-6831, 2024-2928
    "after a fragment": lambda aim: f"a#/{aim.relative}",
    "fragment alone": lambda aim: f"#{aim.relative}",
    "encoded fragment": lambda aim: f"a%23/{aim.relative}",
    "after a query": lambda aim: f"a?/{aim.relative}",
    "encoded query": lambda aim: f"a%3f/{aim.relative}",
    # CVE-2023-6014, 2023-6018, 2023-6977
    "absolute": lambda aim: aim.absolute,
    "absolute after a slash": lambda aim: f"/{aim.absolute}",
    "absolute, encoded": lambda aim: quote(aim.absolute, safe=""),
    "absolute, encoded twice": lambda aim: quote(quote(aim.absolute, safe=""), safe=""),
    # CVE-2024-3573, 2023-3765, 2023-6015, 2024-3848
    "file": lambda aim: f"file://{aim.absolute}",
    "file with a host": lambda aim: f"file://localhost{aim.absolute}",
    "file with one slash": lambda aim: f"file:{aim.absolute}",
    "file in capitals": lambda aim: f"FiLe://{aim.absolute}",
    "file, encoded": lambda aim: quote(f"file://{aim.absolute}", safe=""),
    "file inside": lambda aim: f"a/file://{aim.absolute}",
    "file with a query": lambda aim: f"file://{aim.absolute}?a=b#c",
    "file below artifacts": lambda aim: f"mlflow-artifacts:file://{aim.absolute}",
    # CVE-2023-4033, 2023-6976: other readers, other hosts
    "web": lambda aim: f"http://127.0.0.1:1{aim.absolute}",
    "artifacts that climb": lambda aim: f"mlflow-artifacts:/{aim.relative}",
    "artifacts of a host": lambda aim: f"mlflow-artifacts://127.0.0.1:1/{aim.relative}",
    "run that climbs": lambda aim: f"runs:/{'0' * 32}/{aim.relative}",
    "model that climbs": lambda aim: f"models:/{aim.relative}",
    "store": lambda aim: f"s3://bucket/{aim.relative}",
    "database": lambda aim: f"sqlite:///{aim.absolute}",
    "home": lambda aim: f"~/{aim.relative}",
    "variable": lambda aim: f"$HOME/{aim.relative}",
    # What ends a name early, or hides what it is
    "NUL": lambda aim: f"{aim.relative}\0.txt",
    "encoded NUL": lambda aim: f"{aim.relative}%00.txt",
    "line break": lambda aim: f"a\n/{aim.relative}",
    "encoded line breaks": lambda aim: f"a%0d%0a/{aim.relative}",
    "turned about": lambda aim: f"\u202e{aim.relative}",
    "half a letter": lambda aim: f"%ff/{aim.relative}",
    "surrogate": lambda aim: f"\ud800/{aim.relative}",
}
# These are plain names to us, which stay inside: `..;` climbs in a servlet container alone.
PLAIN: Final = frozenset(
    {
        *("wide dots", "wide slashes", "old style of Unicode", "overlong in three bytes"),
        *("parameters", "encoded parameters", "home", "variable"),
    }
)
