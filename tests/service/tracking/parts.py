"""An upload in parts as the stock client makes it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from libs.common.http.calling import Reply, call
from tests.service.tracking.owners import new_run, of_run
from tests.serving import Client

MPU = "/api/2.0/mlflow-artifacts/mpu"
PARTS = [b"a" * 3_000_000, b"b" * 2_000_000, b"c" * 17]
WHOLE = b"".join(PARTS)


@dataclass
class Upload:
    """An upload as its client sees it."""

    client: Client
    run_id: str
    upload_id: str
    credentials: list[dict[str, Any]]

    async def put(self, number: int, body: bytes, **headers: str) -> Reply:
        """PUT a part as the stock client does: without a credential, with the headers it was told."""
        told = self.credentials[number - 1]
        url = urlsplit(told["url"])
        sent = {**told["headers"], **{k.replace("_", "-"): v for k, v in headers.items()}}
        return await call(
            self.client.app,
            "PUT",
            url.path,
            query=url.query,
            headers=list(sent.items()),
            body=body,
            timeout=30,
        )

    async def put_all(self) -> list[dict[str, Any]]:
        """PUT all parts, the last one first; what `complete` is to be told."""
        sent = []
        for number in (3, 1, 2):
            reply = await self.put(number, PARTS[number - 1])
            assert reply.status == 200, reply.body
            sent.append({"part_number": number, "etag": reply.headers["etag"], "url": None})
        return sent

    async def say(self, step: str, **body: object) -> Reply:
        """`complete` or `abort`."""
        given = {"path": "/data/big.bin", "upload_id": self.upload_id, **body}
        where = f"{MPU}/{step}/0/{self.run_id}/artifacts/models"
        return await self.client.ask("POST", where, given)

    @property
    def file(self) -> str:
        """Where the file is to be had."""
        return of_run(self.run_id, "/models/big.bin")


async def begun(client: Client, parts: int = 3) -> Upload:
    """A new upload of so many parts to a run of its own."""
    run_id = await new_run(client)
    asked = {"path": "/data/big.bin", "num_parts": parts}
    reply = await client.ask("POST", f"{MPU}/create/0/{run_id}/artifacts/models", asked)
    assert reply.status == 200, reply.body
    told = msgspec.json.decode(reply.body)
    return Upload(client, run_id, told["upload_id"], told["credentials"])
