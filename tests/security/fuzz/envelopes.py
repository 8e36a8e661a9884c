"""Bad input that no schema knows of: encodings, lengths, chunks, content types, heads, methods."""

import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024
_TYPE: Final = "Content-Type: application/json"
_GZIP: Final = gzip.compress(b"{}" * 1000)


@dataclass(frozen=True)
class Envelope:
    """What is sent after the request's line: header lines and the body in pieces.

    `ends` closes our side afterwards. Of a `broken` one the server may see no request at all: a
    plain 400, or an end without an answer.
    """

    lines: tuple[str, ...]
    pieces: tuple[bytes, ...] = ()
    ends: bool = False
    broken: bool = False
    query: bytes = b""
    method: str | None = None


Wrap = Callable[[bytes], Envelope]


def _body(make: Callable[[bytes], bytes], *lines: str) -> Wrap:
    def wrap(sound: bytes) -> Envelope:
        body = make(sound)
        return Envelope((*(lines or (_TYPE,)), f"Content-Length: {len(body)}"), (body,))

    return wrap


def _lies(length: Callable[[int], str]) -> Wrap:
    def wrap(sound: bytes) -> Envelope:
        lines = (_TYPE, *length(len(sound)).split("\n"))
        return Envelope(lines, (sound,), ends=True, broken=True)

    return wrap


def _chunks(*pieces: bytes, broken: bool = True) -> Wrap:
    lines = (_TYPE, "Transfer-Encoding: chunked")
    return lambda sound: Envelope(lines, pieces, ends=broken, broken=broken)


def _query(query: bytes) -> Wrap:
    return lambda sound: Envelope((_TYPE, f"Content-Length: {len(sound)}"), (sound,), query=query)


def _lines(*lines: str, broken: bool = False) -> Wrap:
    return lambda sound: Envelope(
        (*lines, f"Content-Length: {len(sound)}"), (sound,), broken=broken
    )


def _method(name: str) -> Wrap:
    broken = name not in ("GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS")
    return lambda sound: Envelope(
        (_TYPE, f"Content-Length: {len(sound)}"), (sound,), method=name, broken=broken
    )


def _deep(depth: int, opening: bytes, closing: bytes) -> Wrap:
    return _body(lambda sound: opening * depth + b"1" + closing * depth)


def _twice(sound: bytes) -> bytes:
    """Every field a second time, as something else."""
    names = json.loads(sound or b"{}")
    again = ",".join(f"{json.dumps(name)}:[{{}}]" for name in names)
    return sound[:-1] + (b"," if names and again else b"") + again.encode() + b"}"


def _trickles(sound: bytes) -> Envelope:
    pieces = tuple(bytes([byte]) for byte in sound[:2000])
    return Envelope((_TYPE, f"Content-Length: {len(pieces)}"), pieces)


ENVELOPES: Final[Mapping[str, Wrap]] = {
    "empty": _body(lambda sound: b""),
    "array": _body(lambda sound: b"[" + sound + b"]"),
    "scalar": _body(lambda sound: b"5"),
    "null": _body(lambda sound: b"null"),
    "text": _body(lambda sound: b'"x"'),
    "encoded twice": _body(lambda sound: json.dumps(sound.decode()).encode()),
    "encoded three times": _body(lambda sound: json.dumps(json.dumps(sound.decode())).encode()),
    "cut": _body(lambda sound: sound[:-1]),
    "something behind": _body(lambda sound: sound + b"}"),
    "two": _body(lambda sound: sound + sound),
    "every field twice": _body(_twice),
    "mark of UTF-8": _body(lambda sound: b"\xef\xbb\xbf" + sound),
    "UTF-16": _body(lambda sound: sound.decode().encode("utf-16")),
    "UTF-16 without mark": _body(lambda sound: sound.decode().encode("utf-16-le")),
    "UTF-32": _body(lambda sound: sound.decode().encode("utf-32")),
    "no UTF-8": _body(lambda sound: sound.replace(b'":"', b'":"\xff\xfe')),
    "cut letter": _body(lambda sound: sound.replace(b'":"', b'":"\xe2\x82')),
    "overlong": _body(lambda sound: sound.replace(b'":"', b'":"\xc0\xaf\xc0\x80')),
    "encoded surrogate": _body(lambda sound: sound.replace(b'":"', b'":"\xed\xa0\x80')),
    "half a surrogate": _body(lambda sound: sound.replace(b'":"', b'":"\\ud800')),
    "NUL inside": _body(lambda sound: sound.replace(b'":"', b'":"\\u0000')),
    "raw NUL": _body(lambda sound: sound.replace(b'":"', b'":"\0')),
    "NULs": _body(lambda sound: b"\0" * 1000),
    **{f"depth {d}": _deep(d, b'{"a":', b"}") for d in (10, 500, 5_000, 100_000)},
    **{f"depth of arrays {d}": _deep(d, b"[", b"]") for d in (10, 1_000, 100_000)},
    "many fields": _body(lambda sound: json.dumps({f"f{i}": i for i in range(20_000)}).encode()),
    "no content type": _body(lambda sound: sound, "X-Nothing: 1"),
    "content type of a form": _body(lambda sound: sound, "Content-Type: multipart/form-data"),
    "text as content type": _body(lambda sound: sound, "Content-Type: text/plain"),
    "content type without end": _body(
        lambda sound: sound, "Content-Type: application/json; charset"
    ),
    "other charset": _body(lambda sound: sound, "Content-Type: application/json; charset=utf-7"),
    "nonsense charset": _body(lambda sound: sound, "Content-Type: application/json; charset=\xff"),
    "two content types": _body(lambda sound: sound, _TYPE, "Content-Type: text/html"),
    "long content type": _body(lambda sound: sound, "Content-Type: " + "a/b;" * 2_000),
    "compressed": _body(gzip.compress, _TYPE, "Content-Encoding: gzip"),
    "said to be compressed": _body(lambda sound: sound, _TYPE, "Content-Encoding: gzip, br"),
    "compressed a thousand times": _body(lambda sound: _GZIP, _TYPE, "Content-Encoding: gzip"),
    "length too short": _lies(lambda size: f"Content-Length: {max(0, size - 1)}"),
    "length too long": _lies(lambda size: f"Content-Length: {size + 5}"),
    "length negative": _lies(lambda size: "Content-Length: -1"),
    "length huge": _lies(lambda size: f"Content-Length: {2**70}"),
    "length of 10 GB": _lies(lambda size: f"Content-Length: {10**10}"),
    "length in words": _lies(lambda size: "Content-Length: ten"),
    "length with a sign": _lies(lambda size: f"Content-Length: +{size}"),
    "two lengths": _lies(lambda size: f"Content-Length: {size}\nContent-Length: {size + 1}"),
    "length and chunks": _lies(lambda size: f"Content-Length: {size}\nTransfer-Encoding: chunked"),
    "no length": _lies(lambda size: "X-Nothing: 1"),
    "chunk of no number": _chunks(b"zz\r\n{}\r\n0\r\n\r\n"),
    "chunk that is too short": _chunks(b"5\r\n{}\r\n0\r\n\r\n"),
    "chunk of endless size": _chunks(b"ffffffffffffffffff\r\n{}"),
    "negative chunk": _chunks(b"-2\r\n{}\r\n0\r\n\r\n"),
    "chunks without end": _chunks(b"2\r\n{}\r\n"),
    "chunks with extensions": _chunks(b"2;a=" + b"b" * 2_000 + b"\r\n{}\r\n0\r\n\r\n"),
    "chunks one by one": _chunks(b"1\r\n{\r\n", b"1\r\n}\r\n", b"0\r\n\r\n", broken=False),
    "chunks with trailers": _chunks(b"2\r\n{}\r\n0\r\nX-Principal: x\r\n\r\n"),
    "one byte at a time": _trickles,
    "query of 60 kB": _query(b"a=" + b"b" * 60_000),
    "query of 100 kB": lambda sound: Envelope((_TYPE,), query=b"a=" + b"b" * 100_000, broken=True),
    "10,000 fields in the query": _query(b"&".join(b"k=1" for _ in range(10_000))),
    "junk in the query": _query(b"%zz=%&%=%u0041&=&&&%00=%00&a[]=1&a[b]=%ff%fe"),
    "every field of the query as junk": _query(
        b"max_results=1e400&max_results=x&page_token=%ff%fe&run_id=&run_id=%00&view_type=9"
        b"&filter=%27&filter_string=%00&order_by=%ed%a0%80&name=%c0%80&version=%u&path=%00"
    ),
    "numbers in the query": _query(b"max_results=" + b"9" * 5_000 + b"&version=-1&start_step=NaN"),
    "junk in headers": _lines(_TYPE, "X-Request-Id: \xff\xfe", "Cookie: " + "a=b;" * 1_000),
    "many headers": _lines(_TYPE, *(f"X-{i}: {i}" for i in range(1_500)), broken=True),
    "large head": _lines(_TYPE, "X-Large: " + "x" * 70_000, broken=True),
    "header without colon": _lines(_TYPE, "nonsense", broken=True),
    "folded header": _lines(_TYPE, "X-A: b\r\n c", broken=True),
    "bad trace": _lines(_TYPE, "traceparent: 00-zz-\xff-01", "tracestate: " + "," * 600),
    "bad range": _lines(_TYPE, "Range: bytes=-0,9999999999999999999-,a-b", "If-Range: x"),
    "bad dates": _lines(_TYPE, "If-Modified-Since: x", "If-None-Match: \xff"),
    "bad workspace": _lines(_TYPE, "X-MLFLOW-WORKSPACE: \xff, ../x"),
    "control characters in a header": _lines(_TYPE, "X-MLFLOW-WORKSPACE: \x01", broken=True),
    "forged principal": _lines(_TYPE, "X-Maestro-Principal: x", "X-Forwarded-For: ::::,\xff"),
    "expects": _lines(_TYPE, "Expect: 200-maybe"),
    "upgrade": _lines(_TYPE, "Connection: upgrade", "Upgrade: websocket", broken=True),
    **{f"method {m}": _method(m) for m in ("HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE")},
    **{f"method {m}": _method(m) for m in ("PROPFIND", "CONNECT", "BREW", "get", "G\xcbT")},
}
# Sent to a few routes alone, as each costs what a hundred others do.
HEAVY: Final[Mapping[str, Wrap]] = {
    "text of 15 MiB": _body(lambda sound: sound[:-1] + b',"name":"' + b"x" * 15 * MIB + b'"}'),
    "text of 17 MiB": _body(lambda sound: b'{"name":"' + b"x" * 17 * MIB + b'"}'),
    "escapes of 15 MiB": _body(lambda sound: b'{"name":"' + b"\\u00e9" * (5 * MIB // 2) + b'"}'),
    "a million numbers": _body(lambda sound: b'{"name":[' + b"1," * 10**6 + b"1]}"),
    "a million objects": _body(lambda sound: b'{"params":[' + b"{}," * 10**6 + b"{}]}"),
    "a million texts": _body(lambda sound: b'{"x":[' + b'"a",' * 10**6 + b'""]}'),
    "a million names": _body(
        lambda sound: b"{" + b",".join(b'"%d":1' % i for i in range(10**6)) + b"}"
    ),
    "deep of 16 MiB": _deep(8 * MIB - 10, b"[", b"]"),
    "chunks of 17 MiB": _chunks(
        *[b"100000\r\n" + b" " * MIB + b"\r\n"] * 17, b"0\r\n\r\n", broken=False
    ),
    "digits of 15 MiB": _body(lambda sound: b'{"timestamp":' + b"9" * 15 * MIB + b"}"),
}
