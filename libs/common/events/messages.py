"""A message as the broker gave it, for who takes many at once and opens them itself."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """`arrived` is when the broker took it, in milliseconds since 1970."""

    key: bytes
    value: bytes
    headers: dict[str, bytes]
    arrived: int


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a message cannot be applied: which field of it, and what is wrong with that.

    `headers` are put on its dead letter, and stay on it when it is put back.
    """

    field: str
    reason: str
    headers: tuple[tuple[str, bytes], ...] = ()
