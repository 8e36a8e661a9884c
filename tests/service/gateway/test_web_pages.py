"""MLflow's web pages at the front door: for whom, with which headers, and nothing beside them."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from libs.common.settings import SettingsError
from services.gateway.pages.files import files_in
from tests.service.auth.installation import Auth
from tests.service.gateway.front import Front, decoded, opened

SCRIPT = "/static-files/static/js/main.c2f5f8d4.js"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small application beside something that is nobody's business."""
    root = tmp_path_factory.mktemp("pages") / "build"
    (root / "static/js").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><title>pages</title>")
    (root / "static/js/main.c2f5f8d4.js").write_text("window.ran = 1;\n" * 100)
    (root.parent / "secret").write_text("secret")
    (root / "out").symlink_to(root.parent / "secret")
    return root


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages(auth: Auth, folder: Path) -> AsyncIterator[Front]:
    """A gateway that serves it."""
    async with opened(auth, hears=False, GATEWAY_UI_FOLDER=str(folder)) as found:
        yield found


async def test_whoever_is_not_signed_in_is_sent_to_sign_in(auth: Auth, pages: Front) -> None:
    reply = await pages.ask("/")
    assert (reply.status, reply.headers["location"]) == (303, "sign-in")
    assert reply.headers["cache-control"] == "no-store"
    shown = await pages.ask("/", token=auth.first_token)
    assert (shown.status, b"<title>pages" in shown.body) == (200, True)
    policy = shown.headers["content-security-policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["cache-control"] == "no-cache"


async def test_hashed_files_are_kept_packed_and_not_sent_twice(pages: Front, folder: Path) -> None:
    plain = await pages.ask(SCRIPT)
    assert plain.body == (folder / "static/js/main.c2f5f8d4.js").read_bytes()
    assert plain.headers["content-type"].startswith("text/javascript")
    assert plain.headers["cache-control"].endswith("immutable")
    packed = await pages.ask(SCRIPT, headers=[("accept-encoding", "gzip, br")])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    tag = ("if-none-match", plain.headers["etag"])
    again = await pages.ask(SCRIPT, headers=[tag])
    assert (again.status, again.body) == (304, b"")
    head = await pages.ask(SCRIPT, method="HEAD")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("/static-files/../secret", "/static-files/static/../../secret", "/static-files//secret"),
        *("/static-files/out", "/static-files/", "/static-files/static", "/index.html"),
        *("/static-files/%2e%2e/secret", "/static-files/..\\secret", "/static-files/nothing.js"),
    ],
)
async def test_nothing_beside_the_pages_is_served(pages: Front, path: str) -> None:
    reply = await pages.ask(path)
    assert (reply.status, reply.body == b"secret") == (404, False)


async def test_a_gateway_without_pages_says_how_to_get_them(auth: Auth) -> None:
    async with opened(auth, hears=False, GATEWAY_UI_FOLDER="") as front:
        reply = await front.ask("/")
    assert (reply.status, "GATEWAY_UI_FOLDER" in decoded(reply)["message"]) == (404, True)


def test_a_folder_without_pages_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="GATEWAY_UI_FOLDER"):
        files_in(str(tmp_path))
