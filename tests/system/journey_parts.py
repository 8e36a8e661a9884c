"""A large file from the user's seat: the stock client sends it in parts and reads it back whole.

Run by path: `journey_parts.py MEBIBYTES`, with the client's variables in the environment, among them
those that say from which size on a file goes in parts.
"""

import hashlib
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient

MIB = 1024 * 1024


def written(file: Path, mebibytes: int) -> str:
    """Write a file that no other is like; its SHA-256."""
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for number in range(mebibytes):
            piece = hashlib.sha256(f"{file}{number}".encode()).digest() * (MIB // 32)
            out.write(piece)
            digest.update(piece)
        out.write(b"and some more")
        digest.update(b"and some more")
    return digest.hexdigest()


def main(mebibytes: int) -> None:
    """Upload twice, list, download."""
    file = Path("big.bin")
    expected = written(file, mebibytes)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(file), "models")
        mlflow.log_artifact(str(file))
    run_id = run.info.run_id
    found = {item.path: item.file_size for item in MlflowClient().list_artifacts(run_id, "models")}
    assert found == {"models/big.bin": file.stat().st_size}, found
    for path in ("big.bin", "models/big.bin"):
        place = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path)
        with Path(place).open("rb") as content:
            assert hashlib.file_digest(content, "sha256").hexdigest() == expected
    print(run_id)


if __name__ == "__main__":
    main(int(sys.argv[1]))
