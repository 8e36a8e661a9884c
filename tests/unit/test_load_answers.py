"""The load generator reads answers as HTTP/1.1 says, however the socket cuts them."""

import pytest

from tests.load.answers import Answer, AnswerReader, Malformed

SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"6\r\nhello \r\n5;name=value\r\nworld\r\n0\r\n\r\n"
)


@pytest.mark.parametrize("text", [SIZED, CHUNKED])
@pytest.mark.parametrize("size", [1, 2, 7, 50, 1000])
def test_an_answer_comes_out_whole_however_it_was_cut(text: bytes, size: int) -> None:
    reader = AnswerReader()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    for _ in range(3):
        answers = [reader.feed(piece) for piece in pieces]
        assert answers[:-1] == [None] * (len(pieces) - 1)
        assert answers[-1] == Answer(200, b"hello world", closes=False)
        assert not reader.begun


def test_a_begun_answer_is_known() -> None:
    reader = AnswerReader()
    for piece in (b"HTTP/1.1 200", b" OK\r\nContent-Length: 2\r\n\r\n", b"o"):
        reader.feed(piece)
        assert reader.begun


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n", Answer(404, b"", closes=False)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Answer(204, b"", closes=False)),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", Answer(200, b"x", closes=True)),
        (
            b"HTTP/1.1 503 Away\r\nConnection: Close\r\nContent-Length: 1\r\n\r\nx",
            Answer(503, b"x", closes=True),
        ),
    ],
)
def test_status_and_end_of_the_connection(text: bytes, expected: Answer) -> None:
    assert AnswerReader().feed(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
        SIZED + b"and more",
        CHUNKED + b"and more",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000,
    ],
)
def test_what_is_no_answer_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed):
        AnswerReader().feed(text)
