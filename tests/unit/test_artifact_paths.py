"""Artifact paths: plain ones pass as they are, and nothing that means another place passes."""

import string
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Refusal
from services.tracking.artifacts.paths import (
    NAME_BYTES,
    PATH_BYTES,
    Owner,
    clean_file,
    clean_folder,
    name_on_disk,
    owner_of,
)

RUN = "0198c1d2e3f47a5b8c9d0e1f2a3b4c5d"
MODEL = f"m-{RUN}"

REFUSED = {
    "parent": "../x",
    "parent inside": "a/../../x",
    "parent last": "a/..",
    "encoded parent": "%2e%2e/x",
    "encoded twice": "%252e%252e%252fx",
    "encoded five times": "%25252525252e%25252525252e/x",
    "half encoded": ".%2e/x",
    "absolute": "/etc/passwd",
    "encoded absolute": "%2fetc%2fpasswd",
    "doubled slash": "a//b",
    "itself": "a/./b",
    "backslash": "a\\b",
    "encoded backslash": "..%5c..%5cx",
    "backslash encoded twice": "..%255cx",
    "drive": "C:/x",
    "drive and backslash": "C:\\x",
    "drive inside": "a/C:/x",
    "relative to a drive": "a/C:x",
    "share": "\\\\host\\share",
    "file scheme": "file:///etc/passwd",
    "file scheme with one slash": "file:/etc/passwd",
    "file scheme inside": "a/FILE:x",
    "other scheme": "http://host/x",
    "nul": "a\0b",
    "encoded nul": "a%00b",
    "newline": "a\nb",
    "newline encoded twice": "a%250ab",
    "delete": "a\x7fb",
    "control of the second row": "a\x85b",
    "right-to-left override": "a\u202etxt.exe",
    "line separator": "a\u2028b",
    "fragment": "a#b",
    "encoded fragment": "a%23b",
    "query": "a?b",
    "undecodable byte": "a%ffb",
    "replaced byte": "a\ufffdb",
    "surrogate": "a\ud800b",
    "empty": "",
    "long name": "a" * (NAME_BYTES + 1),
    "long name in bytes": "\u00fc" * (NAME_BYTES // 2 + 1),
    "long path": "a/" * (PATH_BYTES // 2) + "a",
    "endless encoding": "%" + "25" * 30 + "2e",
}


@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_plain_path_is_refused_in_mlflows_words(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        clean_file(path)
    assert (caught.value.code, caught.value.message) == ("INVALID_PARAMETER_VALUE", "Invalid path")
    if path:
        with pytest.raises(Refusal):
            clean_folder(path)


@pytest.mark.parametrize(
    "path",
    [
        "model/MLmodel",
        "a b/c d.txt",
        "metrics:train.json",
        "..hidden/...",
        "100%",
        "ü/日本語.txt",
        "a+b=c&d;e,f@g!h~i^j|k{l}[m]*'\"<>`$(x)",
        "a" * NAME_BYTES,
    ],
)
def test_plain_paths_stay_as_they_are(path: str) -> None:
    assert clean_file(path) == path
    assert clean_file(quote(path)) == path
    assert clean_folder(path + "/") == path


def test_a_file_needs_a_name_and_a_folder_may_be_the_uppermost() -> None:
    with pytest.raises(Refusal, match="must include a filename"):
        clean_file("model/")
    assert clean_folder("") == ""
    with pytest.raises(Refusal):
        clean_folder("/")


def test_the_owner_of_a_path() -> None:
    run, model = Owner("run", "0", RUN), Owner("model", "12", MODEL)
    assert owner_of(f"0/{RUN}/artifacts") == run
    assert owner_of(f"0/{RUN}/artifacts/a/b") == run
    assert owner_of(f"12/models/{MODEL}/artifacts/MLmodel") == model
    assert (run.folder, model.folder) == (
        f"0/{RUN}/artifacts",
        f"12/models/{MODEL}/artifacts",
    )


@pytest.mark.parametrize(
    "path",
    [
        "",
        "0",
        f"0/{RUN}",
        f"0/{RUN}/artifact/a",
        f"x/{RUN}/artifacts/a",
        f"00/{RUN}/artifacts/a",
        f"-1/{RUN}/artifacts/a",
        f"١/{RUN}/artifacts/a",
        f"{'9' * 19}/{RUN}/artifacts/a",
        f"0/{RUN.upper()}/artifacts/a",
        f"0/{RUN}0/artifacts/a",
        f"0/models/{RUN}/artifacts/a",
        f"0/models/{MODEL}",
        f"0/{MODEL}/artifacts/a",
        f"workspaces/other/0/{RUN}/artifacts/a",
        f"t/other/1/0/{RUN}/artifacts/a",
    ],
)
def test_other_places_are_nobodys(path: str) -> None:
    assert owner_of(path) is None


# Letters that mean something to some file system or URL, and a few that do not.
letters = st.sampled_from("./\\%:#?~\0\n 25eEfFcCa\u00fc\u202e\ufffd")
hostile = st.lists(
    st.one_of(
        st.sampled_from(["..", "../", "%2e", "%252e", "%5c", "%2f", "file:", "C:", "//", "a", "/"]),
        st.text(letters, max_size=4),
        st.text(max_size=3),
    ),
    max_size=8,
).map("".join)


@given(hostile)
def test_what_passes_is_a_plain_relative_path_for_every_reader(path: str) -> None:
    try:
        clean = clean_folder(path)
    except Refusal:
        return
    if not clean:
        return
    for reader in (PurePosixPath(clean), PureWindowsPath(clean)):
        assert not reader.is_absolute()
        assert not reader.drive
        assert ".." not in reader.parts
        assert len(reader.parts) == len(clean.split("/"))
    assert str(PurePosixPath(clean)) == clean
    assert clean_folder(clean) == clean, "decoded once more it would be another path"
    assert set(clean).isdisjoint("\\#?\0\n\r\x7f")


names = st.text(string.ascii_letters + string.digits + "._-+ ü", min_size=1, max_size=30).filter(
    lambda name: set(name) != {"."}
)


@given(st.lists(names, min_size=1, max_size=5), st.integers(0, 4))
def test_ordinary_names_pass_however_often_they_were_encoded(parts: list[str], times: int) -> None:
    path = "/".join(parts)
    encoded = path
    for _ in range(times):
        encoded = quote(encoded, safe="")
    assert clean_file(encoded) == path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/big.bin", "big.bin"),
        ("big.bin", "big.bin"),
        ("C:\\data\\big.bin", "big.bin"),
        ("C:/data/big.bin", "big.bin"),
        ("\\\\share\\folder\\big.bin", "big.bin"),
        ("/data/odd\\name", "odd\\name"),
        ("/data/", ""),
    ],
)
def test_the_name_of_a_file_on_a_clients_disk(path: str, name: str) -> None:
    assert name_on_disk(path) == name
