"""Large files from the user's seat: the unmodified client's multipart uploads, in both deployments."""

from pathlib import Path

from libs.embedded import Parts
from tests.deployments import Deployment
from tests.system.test_journey import run, with_token

PARTS = Path(__file__).parent / "journey_parts.py"
# The stock client sends in parts from 500 MiB on, 10 MiB each.
LARGE = {
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000000",
    "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": "5000000",
}


async def test_a_large_file_goes_in_parts(
    deployment: Deployment, fresh_parts: Parts, tmp_path: Path
) -> None:
    await run(PARTS, "23", login={**with_token(deployment), **LARGE}, folder=tmp_path)
    store = Path(fresh_parts.environment["TRACKING_ARTIFACT_STORE"].removeprefix("file://"))
    sizes = [file.stat().st_size for file in store.rglob("*") if file.is_file()]
    whole = (tmp_path / "big.bin").stat().st_size
    assert whole in sizes
    assert not [size for size in sizes if size in (5_000_000, whole % 5_000_000)], "parts are left"
    log = "".join(process.last_words(5_000) for process in deployment.processes)
    assert "x-upload-capability" not in log
