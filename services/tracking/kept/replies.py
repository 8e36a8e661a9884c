"""Replies of Redis as they come in: bytes, numbers, nothing, or a list of those."""

from typing import Final

_BYTES: Final = ord("$")
_MINUS: Final = ord("-")
Item = bytes | int | None
Reply = Item | list[Item]


class ReplyError(Exception):
    """Redis refused a command."""


def next_reply(data: bytes, at: int) -> tuple[Reply, int] | None:
    """The reply that begins at a position and where it ends; None where it is not whole yet.

    Raises ReplyError where Redis refuses, or says what none of our commands is answered with.
    """
    if data[at : at + 1] != b"*":
        return _item(data, at)
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    items: list[Item] = []
    count, at = int(data[at + 1 : end]), end + 2
    for _ in range(count):
        end = data.find(b"\r\n", at)
        if end >= 0 and data[at] == _BYTES and data[at + 1] != _MINUS:
            # What nearly all of them are; a page of a search asks for a hundred.
            after = end + 4 + int(data[at + 1 : end])
            if len(data) < after:
                return None
            items.append(data[end + 2 : after - 2])
            at = after
            continue
        found = _item(data, at)
        if found is None:
            return None
        item, at = found
        items.append(item)
    return items, at


def _item(data: bytes, at: int) -> tuple[Item, int] | None:
    end = data.find(b"\r\n", at)
    if end < 0:
        return None
    kind, line, after = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b"$":
        size = int(line)
        if size < 0:
            return None, after
        if len(data) < after + size + 2:
            return None
        return data[after : after + size], after + size + 2
    if kind == b":":
        return int(line), after
    if kind == b"+":
        return line, after
    raise ReplyError(line.decode("latin-1")[:200])
