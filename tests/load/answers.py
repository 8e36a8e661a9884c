"""Reads HTTP/1.1 answers off a kept-alive connection, as cheaply as Python can."""

from typing import Final, NamedTuple

_HEAD_LIMIT: Final = 65536
_WITHOUT_BODY: Final = (204, 304)


class Malformed(Exception):
    """What came is not an HTTP answer that this reader understands."""


class Answer(NamedTuple):
    """One whole answer; `closes` when the server ends the connection after it."""

    status: int
    body: bytes
    closes: bool


class AnswerReader:
    """Takes what a socket gives, piece by piece, and gives an answer when one is whole.

    One request is under way at a time, so bytes after a whole answer are an error.
    """

    __slots__ = ("_closes", "_missing", "_parts", "_status", "_text")

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._text = b""
        self._parts: list[bytes] = []
        # Bytes of the body that are still to come; None before the head is whole, -1 for chunks.
        self._missing: int | None = None
        self._status = 0
        self._closes = False

    @property
    def begun(self) -> bool:
        """Whether a part of an answer has come."""
        return bool(self._text or self._parts) or self._missing is not None

    def feed(self, data: bytes) -> Answer | None:
        """The answer that `data` completes, None when more is to come; raises Malformed."""
        if self._missing is None:
            data = self._head(self._text + data if self._text else data)
            if self._missing is None:
                return None
        if self._missing >= 0:
            return self._sized(data)
        return self._chunked(data)

    def _head(self, data: bytes) -> bytes:
        """Read the head if it is whole; gives what stands behind it."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            if len(data) > _HEAD_LIMIT:
                raise Malformed("a head without an end")
            self._text = data
            return b""
        head = data[:end].lower()
        status = head[9:12]
        if not head.startswith(b"http/1.") or not status.isdigit():
            raise Malformed(f"no status line: {data[:80]!r}")
        self._text = b""
        self._status = int(status)
        self._closes = head.startswith(b"http/1.0") or b"\r\nconnection: close" in head
        self._missing = self._length(head)
        return data[end + 4 :]

    def _length(self, head: bytes) -> int:
        if self._status in _WITHOUT_BODY:
            return 0
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            line = head[at + 17 :].split(b"\r\n", 1)[0].strip()
            if not line.isdigit():
                raise Malformed(f"a length that is none: {line!r}")
            return int(line)
        if b"\r\ntransfer-encoding: chunked" in head:
            return -1
        raise Malformed("an answer of unknown length")

    def _sized(self, data: bytes) -> Answer | None:
        assert self._missing is not None
        missing = self._missing - len(data)
        if missing > 0:
            self._parts.append(data)
            self._missing = missing
            return None
        if missing < 0:
            raise Malformed("more than one answer to one request")
        return self._whole(data)

    def _chunked(self, data: bytes) -> Answer | None:
        """Chunks are rare here, so they are read simply: nothing is kept but the text so far."""
        self._text += data
        while (line := self._text.find(b"\r\n")) >= 0:
            size = int(self._text[:line].split(b";")[0], 16)
            end = line + 2 + size
            if len(self._text) < end + 2:
                return None
            if self._text[end : end + 2] != b"\r\n":
                raise Malformed("a chunk without an end")
            if size == 0:
                if len(self._text) > end + 2:
                    raise Malformed("more than one answer to one request")
                return self._whole(b"")
            self._parts.append(self._text[line + 2 : end])
            self._text = self._text[end + 2 :]
        return None

    def _whole(self, last: bytes) -> Answer:
        body = b"".join((*self._parts, last)) if self._parts else last
        answer = Answer(self._status, body, self._closes)
        self._reset()
        return answer
