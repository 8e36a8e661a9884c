"""One request for every operation on artifacts, about live files and uploads."""

import hashlib
from typing import Final

from tests.security.matrix.ask import FILES, ML, MPU, Ask

_RUN: Final = {"run_id": "<run>"}
_FOLDER: Final = "<experiment>/<run>/artifacts"
# Of the one part that came, which holds the canary.
_TAG: Final = hashlib.sha256(b"canary").hexdigest()
_UPLOAD: Final = {"path": "parts.bin", "upload_id": "<upload>"}

ARTIFACTS: Final[dict[str, Ask]] = {
    "list_artifacts": Ask("list", FILES, "path=<experiment>/<run>/artifacts"),
    "download_artifact": Ask("read", f"{FILES}/<experiment>/<run>/artifacts/canary.txt"),
    "upload_artifact": Ask("act", f"{FILES}/<experiment>/<run>/artifacts/new.txt", raw=b"new"),
    "delete_artifact": Ask("act", f"{FILES}/<experiment>/<run>/artifacts/canary.txt"),
    "list_run_artifacts": Ask("read", f"{ML}/artifacts/list", "run_id=<run>"),
    "get_run_artifact": Ask("read", "/get-artifact", "run_id=<run>&path=canary.txt"),
    "list_logged_model_artifacts": Ask(
        "read", f"{ML}/logged-models/<logged-model>/artifacts/directories"
    ),
    "get_logged_model_artifact": Ask(
        "read",
        "/ajax-api/2.0/mlflow/logged-models/<logged-model>/artifacts/files",
        "artifact_file_path=canary.txt",
    ),
    "begin_part_upload": Ask("act", f"{MPU}/create/{_FOLDER}", body={"path": "new.bin"}),
    "complete_part_upload": Ask(
        "act",
        f"{MPU}/complete/{_FOLDER}",
        body=_UPLOAD | {"parts": [{"part_number": 1, "etag": _TAG}]},
    ),
    "abort_part_upload": Ask("act", f"{MPU}/abort/{_FOLDER}", body=_UPLOAD),
    "upload_run_artifact": Ask(
        "act",
        "/ajax-api/2.0/mlflow/upload-artifact",
        "run_uuid=<run>&path=page.txt",
        raw=b"from a page",
    ),
    "presign_artifact": Ask("read", f"/api/2.0/mlflow-artifacts/presigned/{_FOLDER}/canary.txt"),
    "presign_download": Ask(
        "read", f"{ML}/artifacts/presigned-download-url", body=_RUN | {"path": "canary.txt"}
    ),
}
