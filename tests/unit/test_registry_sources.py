"""Sources of model versions: the four forms that are taken, and the attacks that are not.

Against CVE-2023-1177, CVE-2023-2780, CVE-2024-1560, CVE-2024-3573 and the ways found around their
repairs: local files by path, by scheme, by relative, encoded, backslashed and fragmented forms.
"""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Refusal
from services.registry.model.sources import (
    ArtifactSource,
    LoggedModelSource,
    RunSource,
    VersionSource,
    file_segments,
    parse,
)

RUN = "0" * 31 + "1"
MODEL = f"m-{RUN}"
ROOT = f"mlflow-artifacts:/0/{RUN}/artifacts"
LOCAL = "To use a local path as a model version source"
RELATIVE = "an absolute path must be provided without relative path references present"
OTHER_HOST = "addresses a host other than the tracking server's configured artifact storage"
NOT_VOUCHED = "request parameter must identify the resource that contains the source"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"models:/{MODEL}", LoggedModelSource(MODEL)),
        ("models:/fraud/12", VersionSource("fraud", number="12")),
        ("models:/my fraud model/1", VersionSource("my fraud model", number="1")),
        ("models:/fraud/Staging", VersionSource("fraud", stage="Staging")),
        ("models:/fraud/latest", VersionSource("fraud")),
        ("models:/fraud@champion", VersionSource("fraud", alias="champion")),
        ("models:///fraud/1", VersionSource("fraud", number="1")),
        (f"runs:/{RUN}/a/model", RunSource(RUN, ("a", "model"))),
        (f"runs:/{RUN}", RunSource(RUN, ())),
        (f"{ROOT}/model", ArtifactSource(("0", RUN, "artifacts", "model"))),
        (f"{ROOT}/a b+c", ArtifactSource(("0", RUN, "artifacts", "a b+c"))),
        (f"{ROOT}//model/", ArtifactSource(("0", RUN, "artifacts", "model"))),
        (f"mlflow-artifacts:///0/{RUN}/artifacts", ArtifactSource(("0", RUN, "artifacts"))),
        (f"{ROOT}/100%", ArtifactSource(("0", RUN, "artifacts", "100%"))),
    ],
)
def test_the_forms_that_are_taken(source: str, expected: object) -> None:
    """What the stock client sends, and what a user may write."""
    assert parse(source, "run_id") == expected


@pytest.mark.parametrize(
    ("source", "words"),
    [
        # CVE-2023-1177: a path of the server as it is.
        ("/etc/passwd", LOCAL),
        ("etc/passwd", LOCAL),
        ("../../etc/passwd", LOCAL),
        ("~/.ssh", LOCAL),
        ("//host/share", LOCAL),
        ("\\\\host\\share", LOCAL),
        ("file:///etc/passwd", LOCAL),
        ("file:/etc/passwd", LOCAL),
        ("file:etc/passwd", LOCAL),
        ("FILE:///etc/passwd", LOCAL),
        ("file://localhost/etc/passwd", LOCAL),
        ("file://evil/etc/passwd", LOCAL),
        ("file:%2fetc%2fpasswd", LOCAL),
        (" file:///etc/passwd", LOCAL),
        ("\tfile:///etc/passwd", LOCAL),
        (":etc", LOCAL),
        # CVE-2023-2780: backslashes and relative parts.
        (f"{ROOT}/..", RELATIVE),
        (f"{ROOT}/../../../etc", RELATIVE),
        (f"{ROOT}/./model", RELATIVE),
        (f"{ROOT}/..\\..\\etc", RELATIVE),
        (f"{ROOT}\\..\\etc", RELATIVE),
        ("mlflow-artifacts:/../../etc", RELATIVE),
        ("mlflow-artifacts:..", RELATIVE),
        # CVE-2024-1560: decoded once more than it was checked.
        (f"{ROOT}/%2e%2e/etc", RELATIVE),
        (f"{ROOT}/%252e%252e/etc", RELATIVE),
        (f"{ROOT}/%25252e%25252e%25252fetc", RELATIVE),
        (f"{ROOT}/..%2fetc", RELATIVE),
        (f"{ROOT}/%5c..%5cetc", RELATIVE),
        (f"{ROOT}/a%2fb", RELATIVE),
        (f"{ROOT}/%41", RELATIVE),
        # CVE-2024-3573: what one parser takes for a fragment or query is a path to another.
        (f"{ROOT}/model#/../../etc", RELATIVE),
        (f"{ROOT}/model#fragment", RELATIVE),
        (f"{ROOT}/model?x=/../../etc", RELATIVE),
        (f"{ROOT}/model?x=1", RELATIVE),
        (f"mlflow-artifacts:/#/0/{RUN}", RELATIVE),
        # Control characters, which parsers strip or end at.
        (f"{ROOT}/model\x00.txt", RELATIVE),
        (f"{ROOT}/%00", RELATIVE),
        (f"{ROOT}/mo\ndel", RELATIVE),
        (f"{ROOT}/mo\tdel", RELATIVE),
        (f"mlflow-\nartifacts:/0/{RUN}/artifacts", LOCAL),
        # Other hosts.
        ("http://169.254.169.254/latest/meta-data", OTHER_HOST),
        ("https://evil/api/2.0/mlflow-artifacts/artifacts/0/x", OTHER_HOST),
        ("HTTP://evil/x", OTHER_HOST),
        ("http:/x", OTHER_HOST),
        ("ftp://evil/x", OTHER_HOST),
        ("sftp://evil/x", OTHER_HOST),
        ("hdfs://evil/x", OTHER_HOST),
        (f"mlflow-artifacts://evil/0/{RUN}/artifacts", OTHER_HOST),
        (f"mlflow-artifacts://localhost:5000/0/{RUN}/artifacts", OTHER_HOST),
        (f"MLFLOW-ARTIFACTS:/0/{RUN}/artifacts", OTHER_HOST),
        # Stores that the platform does not hand out.
        ("s3://bucket/x", NOT_VOUCHED),
        ("gs://bucket/x", NOT_VOUCHED),
        ("wasbs://c@a.blob.core.windows.net/x", NOT_VOUCHED),
        ("dbfs:/x", NOT_VOUCHED),
        ("data:text/plain,x", NOT_VOUCHED),
        ("C:\\secrets", NOT_VOUCHED),
        ("Models:/fraud/1", NOT_VOUCHED),
        ("RUNS:/x/y", NOT_VOUCHED),
        # The right schemes, badly used.
        ("mlflow-artifacts:", RELATIVE),
        ("mlflow-artifacts:/", RELATIVE),
        ("mlflow-artifacts:0/x", RELATIVE),
        ("runs:/", RELATIVE),
        (f"runs://host/{RUN}/model", NOT_VOUCHED),
        (f"runs:/{RUN}/../x", RELATIVE),
        (f"runs:/{RUN}/%2e%2e/x", RELATIVE),
        (f"runs:/{RUN}/a?b", RELATIVE),
        ("models:/", NOT_VOUCHED),
        ("models:fraud/1", NOT_VOUCHED),
        ("models:/fraud/1/2", NOT_VOUCHED),
        ("models:/fraud/", NOT_VOUCHED),
        ("models:/fraud@", NOT_VOUCHED),
        ("models:/@champion", NOT_VOUCHED),
        ("models://other/fraud/1", "must use the active model registry"),
        ("models:/../1", RELATIVE),
        ("models:/%2e%2e/1", RELATIVE),
        ("x" * 5000, "'source' exceeds the maximum length of 4096 characters"),
    ],
)
def test_attacks_and_mistakes_are_refused(source: str, words: str) -> None:
    """Each in MLflow's words for it, with the code for a bad request."""
    with pytest.raises(Refusal) as refused:
        parse(source, "run_id")
    assert refused.value.code == "INVALID_PARAMETER_VALUE"
    assert words in refused.value.message


def test_the_refusal_names_the_field_that_should_vouch() -> None:
    """So that a user of `model_id` is not told of `run_id`."""
    with pytest.raises(Refusal, match="the model_id request parameter has to be specified"):
        parse("/etc", "model_id")


@pytest.mark.parametrize(
    ("source", "inside"),
    [
        (ROOT, True),
        (f"{ROOT}/model", True),
        (f"{ROOT}x/model", False),
        (f"mlflow-artifacts:/0/{RUN}", False),
        (f"mlflow-artifacts:/1/{RUN}/artifacts", False),
        (f"mlflow-artifacts:/0/{RUN}/ARTIFACTS", False),
    ],
)
def test_what_lies_in_a_runs_artifacts(source: str, inside: bool) -> None:
    """Whole segments are compared, not beginnings of text."""
    found = parse(source, "run_id")
    assert isinstance(found, ArtifactSource)
    assert found.lies_in(ROOT) is inside


@pytest.mark.parametrize("root", ["", "mlflow-artifacts:", "mlflow-artifacts:/", "file:///0", "0"])
def test_nothing_lies_in_a_root_that_is_none(root: str) -> None:
    """A run without a proxied place of its own vouches for nothing."""
    found = parse(ROOT, "run_id")
    assert isinstance(found, ArtifactSource)
    assert not found.lies_in(root)


PIECES = r". .. / // \ %2e %2E%2e %252e %2f %5c %00 # ? a : @ + ; ~ * artifacts 0 model"


def parsed(source: str) -> object:
    """What the source names, or the status of its refusal."""
    try:
        return parse(source, "run_id")
    except Refusal as refused:
        return refused.status


@given(st.lists(st.sampled_from([*PIECES.split(), "\x00", "\n", " ", RUN]), max_size=12))
def test_no_mixture_climbs_out_of_the_root(pieces: list[str]) -> None:
    """What is taken and lies in the root has plain segments only, whatever was put together."""
    found = parsed(f"{ROOT}/{''.join(pieces)}")
    if found == 400:
        return
    assert isinstance(found, ArtifactSource)
    assert found.lies_in(ROOT)
    assert not {".", "..", ""}.intersection(found.path)
    assert not any(letter in found.uri for letter in "\\#?\x00\n")
    assert found.uri.startswith(ROOT)


@given(st.text(max_size=60))
def test_any_text_is_a_source_or_refused(text: str) -> None:
    """Nothing but a refusal comes out, whatever goes in, behind every scheme."""
    for scheme in ("", "models:", "runs:", "mlflow-artifacts:", "file:", "http:", "s3:"):
        found = parsed(scheme + text)
        assert found == 400 or not isinstance(found, int)


@given(st.text(min_size=1, max_size=20), st.integers(min_value=1, max_value=4))
def test_encoded_climbing_is_refused_at_any_depth(text: str, depth: int) -> None:
    """`..` encoded once or several times is still `..`."""
    climbing = ".."
    for _ in range(depth):
        climbing = "".join(f"%{byte:02x}" for byte in climbing.encode())
    with pytest.raises(Refusal):
        parse(f"{ROOT}/{quote(text, safe='')}/{climbing}/x", "run_id")


@pytest.mark.parametrize(
    ("path", "segments"),
    [("MLmodel", ("MLmodel",)), ("data/a b.txt", ("data", "a b.txt")), ("a//100%", ("a", "100%"))],
)
def test_files_below_a_version(path: str, segments: tuple[str, ...]) -> None:
    """Plain relative paths."""
    assert file_segments(path) == segments


@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "a/../../b", "./a", "%2e%2e/a", "%252e%252e/a", "a%2fb", "\n"],
)
def test_paths_that_leave_the_versions_files(path: str) -> None:
    """In MLflow's words."""
    with pytest.raises(Refusal, match=r"^Invalid path$"):
        file_segments(path)
