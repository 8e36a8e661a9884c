"""What a request of the matrix is, and how the paths of the operations begin."""

from dataclasses import dataclass
from typing import Any, Final, Literal

ML: Final = "/api/2.0/mlflow"
FILES: Final = "/api/2.0/mlflow-artifacts/artifacts"
MPU: Final = "/api/2.0/mlflow-artifacts/mpu"
OURS: Final = "/api/maestro/v1"

# read: one thing is shown; list: many are; act: one is changed; make: something new, in one's own
# place, with no thing of anybody's named; own: about the caller alone.
Kind = Literal["read", "list", "act", "make", "own"]


@dataclass(frozen=True)
class Ask:
    """A request: `path` and `query` with words for things, and a JSON body or raw bytes.

    What is `of_tenant` lies in no workspace, and is refused to whoever may not see it rather than
    hidden from them: its ids are not guessed.
    """

    kind: Kind
    path: str
    query: str = ""
    body: Any = None
    raw: bytes | None = None
    of_tenant: bool = False
    # It asks again while a fact may be on its way, so the number of its statements varies.
    waits: bool = False
