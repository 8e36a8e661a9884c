"""What an artifact's answer says of itself: a harmless attachment, whole or a range of it."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from email.message import Message
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response, StreamingResponse

from services.tracking.artifacts.folder import Folder
from services.tracking.artifacts.serving import (
    attachment,
    content_type,
    has_it,
    serve,
    wanted_range,
)
from services.tracking.model.contents import Content

BODY = b"0123456789"
CONTENT = Content(hashlib.sha256(BODY).digest(), len(BODY))
TAG = f'"{hashlib.sha256(BODY).hexdigest()}"'


@pytest.fixture
async def store(tmp_path: Path) -> Folder:
    async def once() -> AsyncIterator[bytes]:
        yield BODY

    found = Folder(tmp_path / "artifacts")
    await found.put("r/a", once(), len(BODY))
    return found


async def answered(store: Folder, headers: Mapping[str, str] | None = None) -> Response:
    found = await store.find("r/a")
    assert found is not None
    return serve(store, found, CONTENT, "a.html", headers or {})


async def body_of(response: Response) -> bytes:
    if not isinstance(response, StreamingResponse):
        return bytes(response.body)
    return b"".join([bytes(part) async for part in response.body_iterator])  # type: ignore[arg-type]


async def test_a_browser_stores_it_and_runs_nothing_of_it(store: Folder) -> None:
    response = await answered(store)
    assert response.headers["content-disposition"] == "attachment; filename=a.html"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert (response.status_code, await body_of(response)) == (200, BODY)
    assert response.headers["content-length"] == str(len(BODY))
    assert response.headers["etag"] == TAG
    digest = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    assert response.headers["repr-digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-100", 206, b"789", "bytes 7-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-100", 206, BODY, "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-2", 200, BODY, None),
        ("bytes=0-1,4-5", 200, BODY, None),
        ("bytes=-", 200, BODY, None),
        ("pages=1-2", 200, BODY, None),
        (f"bytes={'9' * 30}-", 200, BODY, None),
        ("bytes=\u0663-\u0664", 200, BODY, None),
    ],
)
async def test_ranges(
    store: Folder, asked: str, status: int, body: bytes, content_range: str | None
) -> None:
    response = await answered(store, {"range": asked})
    assert (response.status_code, await body_of(response)) == (status, body)
    assert response.headers.get("content-range") == content_range
    assert response.headers["content-length"] == str(len(body))


def test_a_range_of_something_that_was_replaced_is_answered_whole() -> None:
    assert wanted_range({"range": "bytes=2-4", "if-range": TAG}, CONTENT) == (2, 5)
    for stale in ('"other"', f"W/{TAG}", "Fri, 27 Nov 2026 22:00:00 GMT"):
        assert wanted_range({"range": "bytes=2-4", "if-range": stale}, CONTENT) is None


@pytest.mark.parametrize(
    ("said", "has"),
    [
        (TAG, True),
        (f"W/{TAG}", True),
        (f'"other", {TAG}', True),
        ("*", True),
        ('"other"', False),
        ("", False),
        (TAG.strip('"'), False),
    ],
)
def test_who_has_the_content_is_known_by_its_tag(said: str, has: bool) -> None:
    assert has_it({"if-none-match": said}, CONTENT) is has


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("model.pkl", "application/octet-stream"),
        ("MLmodel", "text/plain"),
        ("a.yaml", "text/plain"),
        ("a.json", "text/plain"),
        ("plot.png", "image/png"),
        ("a.tar.gz", "application/x-tar"),
        ("noending", "application/octet-stream"),
        ("data:text/html,x", "application/octet-stream"),
        (".hidden", "application/octet-stream"),
        *(("x.js", "text/plain"), ("x.JS", "text/plain"), ("x.mjs", "text/plain")),
        *(("x.js.gz", "text/plain"), ("x.MJS", "text/plain")),
    ],
)
def test_kinds(name: str, kind: str) -> None:
    assert content_type(name) == kind


def test_a_name_of_other_letters_is_told_in_both_ways() -> None:
    assert attachment("a b.txt") == 'attachment; filename="a b.txt"'
    assert attachment('a"b.txt') == 'attachment; filename="a\\"b.txt"'
    assert attachment("größe.txt") == (
        "attachment; filename=\"groe.txt\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.txt"
    )
    assert attachment("日本") == (
        "attachment; filename=\"download\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC"
    )


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), min_size=1))
def test_no_name_breaks_out_of_its_header(name: str) -> None:
    header = attachment(name)
    header.encode("ascii")
    assert "\r" not in header
    assert "\n" not in header
    read = Message()
    read["content-disposition"] = header
    assert read.get_content_disposition() == "attachment"
    fields = dict(read.get_params(header="content-disposition") or ())
    assert set(fields) <= {"attachment", "filename", "filename*"}
    exact = re.search(r"; filename\*=UTF-8''([^;\" ]+)$", header)
    assert (unquote(exact[1]) if exact else fields["filename"]) == name
