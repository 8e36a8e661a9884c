"""Sources: what a model version may be made from, read strictly.

A source is one of four things: a logged model, another version, a path in a run, or a path in
the proxied artifacts. Everything else is refused: a source never names a file of the server, an
object store or another host (CVE-2023-1177, CVE-2023-2780, CVE-2024-1560, CVE-2024-3573).
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote_plus

from libs.common.errors import Refusal, invalid

MAX_SOURCE: Final = 4096
PROMPT_PLACEHOLDERS: Final = frozenset({"dummy-source", "prompt-template"})
# Schemes with which the reader of a URI connects to the host that stands in it.
_HOST_ADDRESSED: Final = frozenset(
    {"ftp", "sftp", "hdfs", "viewfs", "http", "https", "mlflow-artifacts", "r2", "b2", "abfss"}
)
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_MODEL_ID: Final = re.compile(r"m-[0-9a-f]{32}")

Owner = Literal["run_id", "model_id"]


@dataclass(frozen=True, slots=True)
class LoggedModelSource:
    """`models:/<model id>`."""

    model_id: str


@dataclass(frozen=True, slots=True)
class VersionSource:
    """`models:/<name>/<number>`, or by stage or alias; with none of them the latest version."""

    name: str
    number: str = ""
    stage: str = ""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class RunSource:
    """`runs:/<run id>/<path>`."""

    run_id: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArtifactSource:
    """`mlflow-artifacts:/<path>`; `uri` is its plain spelling."""

    path: tuple[str, ...]

    @property
    def uri(self) -> str:
        """The URI without doubled slashes."""
        return f"mlflow-artifacts:/{'/'.join(self.path)}"

    def lies_in(self, root: str) -> bool:
        """Whether it is the artifact URI `root` of a run or logged model, or below it."""
        scheme, _, rest = root.partition(":")
        above = _segments(rest)
        return scheme == "mlflow-artifacts" and bool(above) and self.path[: len(above)] == above


Source = LoggedModelSource | VersionSource | RunSource | ArtifactSource


def parse(source: str, owner: Owner) -> Source:
    """What `source` names; `owner` is the request's field that should vouch for it.

    Raises a refusal in MLflow's words for anything that no version may be made from.
    """
    if len(source) > MAX_SOURCE:
        raise invalid(f"'source' exceeds the maximum length of {MAX_SOURCE} characters")
    found = _SCHEME.fullmatch(source)
    scheme, rest = found.groups() if found else ("", source)
    if scheme.lower() in ("", "file"):
        raise _local(source, owner)
    if scheme.lower() in _HOST_ADDRESSED and (scheme != "mlflow-artifacts" or _authority(rest)):
        raise _addresses_host(scheme.lower())
    if _is_devious(source):
        raise _relative(source)
    if scheme == "models":
        return _models(source, rest)
    if scheme == "runs" and not _authority(rest):
        run_id, *path = _plain_path(source, rest)
        return RunSource(run_id, tuple(path))
    if scheme == "mlflow-artifacts":
        return ArtifactSource(_plain_path(source, rest))
    raise not_vouched(source, owner)


def not_vouched(source: str, owner: Owner) -> Refusal:
    """The run or logged model that the request names does not hold the source."""
    return invalid(
        f"Invalid model version source: '{source}'. The {owner} request parameter must identify"
        " the resource that contains the source."
    )


def not_matching(source: str) -> Refusal:
    """The request claims another origin than the version it copies has."""
    return invalid(
        f"Invalid model version source: '{source}'. The run_id and model_id request parameters"
        " must match the referenced model version."
    )


def from_prompt(source: str) -> Refusal:
    """A prompt cannot become a model's version."""
    return invalid(
        f"Invalid model version source: '{source}'. Prompt versions cannot be used as model"
        " version sources."
    )


def being_removed(source: str) -> Refusal:
    """The run or logged model behind a source is past its time: its files may be gone any moment."""
    return invalid(
        f"No version can be made of '{source}': it was deleted and is being removed for good. Restore"
        " it first."
    )


def check_prompt_source(source: str) -> None:
    """Refuse a prompt's source: prompts have no files, only the client's placeholders."""
    if source not in PROMPT_PLACEHOLDERS:
        raise invalid(
            f"Invalid prompt source: '{source}'. Prompt sources must use an MLflow placeholder."
        )


def file_segments(path: str) -> tuple[str, ...]:
    """The segments of a file's path below a version's files; refused where it is not below."""
    segments = _segments(path)
    odd = path.startswith("/") or "\\" in path or "." in segments or not segments
    if odd or _is_devious(path) or re.search(r"%[0-9A-Fa-f]{2}", path):
        raise invalid("Invalid path")
    return segments


def is_run_id(text: str) -> bool:
    """Whether a run can have this id; only such ones become part of a request to the owner."""
    return _RUN_ID.fullmatch(text) is not None


def is_model_id(text: str) -> bool:
    """Whether a logged model can have this id."""
    return _MODEL_ID.fullmatch(text) is not None


def _models(source: str, rest: str) -> Source:
    if _authority(rest):
        raise invalid(
            f"Invalid model version source: '{source}'. Registered model sources must use the"
            " active model registry."
        )
    parts = _path(rest).removeprefix("/").split("/")
    if not _path(rest).startswith("/") or len(parts) > 2 or not all(p.strip() for p in parts):
        raise not_vouched(source, "model_id")
    if len(parts) == 1:
        name, at, alias = parts[0].rpartition("@")
        if at and not (name and alias.strip()):
            raise not_vouched(source, "model_id")
        return VersionSource(name, alias=alias) if at else LoggedModelSource(parts[0])
    name, suffix = parts
    if suffix.isdecimal():
        return VersionSource(name, number=suffix)
    return VersionSource(name) if suffix.lower() == "latest" else VersionSource(name, stage=suffix)


def _plain_path(source: str, rest: str) -> tuple[str, ...]:
    """The segments of a path that means the same to every reader: nothing encoded, no query."""
    segments = _segments(_path(rest))
    encoded = re.search(r"%[0-9A-Fa-f]{2}", source) is not None
    odd = "\\" in source or "?" in source or "#" in source
    if encoded or odd or not segments or not rest.startswith("/") or "." in segments:
        raise _relative(source)
    return segments


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _authority(rest: str) -> str:
    """The host of `//host/path`."""
    return re.split(r"[/?#\\]", rest[2:], maxsplit=1)[0] if rest.startswith("//") else ""


def _path(rest: str) -> str:
    """The path of `/path` and of `///path`, whose host is empty."""
    return rest.removeprefix("//")


def _is_devious(source: str) -> bool:
    """Whether the text holds control characters, or climbs once it is decoded to the end."""
    plain, decoded = source, unquote_plus(source)
    while decoded != plain:
        plain, decoded = decoded, unquote_plus(decoded)
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in plain):
        return True
    return ".." in re.split(r"[/\\]", plain)


def _local(source: str, owner: Owner) -> Refusal:
    return invalid(
        f"Invalid model version source: '{source}'. To use a local path as a model version source,"
        f" the {owner} request parameter has to be specified and the local path has to be contained"
        f" within the artifact directory of the run specified by the {owner}."
    )


def _relative(source: str) -> Refusal:
    return invalid(
        f"Invalid model version source: '{source}'. If supplying a source as an http, https, local"
        " file path, ftp, objectstore, or mlflow-artifacts uri, an absolute path must be provided"
        " without relative path references present. Please provide an absolute path."
    )


def _addresses_host(scheme: str) -> Refusal:
    return invalid(
        f"'source' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other"
        " than the tracking server's configured artifact storage, so the server would connect to"
        " the host named in the URI."
    )
