"""Publishes what a training job measures to Maestro's topic `tracking.ingest.v1`.

It needs aiokafka, a Maestro token that may log into runs (in MLFLOW_TRACKING_TOKEN), and a way to
the broker. Copy `Producer` into a training job, or run this file to see it at work:

    python examples/ingest_producer.py --url http://127.0.0.1:8765 --experiment 0 --steps 500

docs/ingestion.md says what a message may hold and what becomes of a bad one.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import math
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import datetime
from typing import Any, Self

from aiokafka import AIOKafkaProducer

POINTS_A_MESSAGE = 1_000
RENEW_SECONDS = 600
TYPE = "tracking.ingest.run-logged"
FORM = "application/json"


class Producer:
    """Publishes events of runs, in order for each; an `async with` block opens and closes it."""

    def __init__(self, url: str, token: str) -> None:
        self._passes = f"{url.rstrip('/')}/api/maestro/v1/ingest/passes"
        self._token = token
        self._pass: dict[str, str] = {}
        self._kafka: AIOKafkaProducer | None = None

    async def __aenter__(self) -> Self:
        """Ask for a pass and log in at the broker that it names."""
        given = await self._good_pass()
        self._kafka = AIOKafkaProducer(
            bootstrap_servers=given["bootstrap"],
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-256",
            sasl_plain_username=given["username"],
            sasl_plain_password=given["password"],
            acks="all",
            enable_idempotence=True,
            linger_ms=20,
        )
        await self._kafka.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send what is left and leave."""
        assert self._kafka is not None
        await self._kafka.stop()

    async def publish(self, run_id: str, **told: Any) -> None:
        """Publish what happened in a run; ends when the broker has stored it.

        `told` is what docs/ingestion.md lists: create, metrics, params, tags, status, end_time. A
        message that failed may be sent again with the same `event_id`: it counts once.
        """
        given, event_id = await self._good_pass(), told.pop("event_id", str(uuid.uuid4()))
        body = json.dumps({"run_id": run_id, **told}, allow_nan=False).encode()
        key = f"{given['tenant']}/{run_id}".encode()
        signed = b"\n".join((event_id.encode(), TYPE.encode(), key, FORM.encode(), body))
        signature = hmac.new(given["secret"].encode(), signed, hashlib.sha256).hexdigest()
        headers = {
            "ce_specversion": "1.0",
            "ce_id": event_id,
            "ce_source": "/examples/ingest_producer",
            "ce_type": TYPE,
            "content-type": FORM,
            "maestro-pass": given["pass"],
            "maestro-signature": signature,
        }
        assert self._kafka is not None
        await self._kafka.send_and_wait(
            given["topic"],
            body,
            key=key,
            headers=[(name, value.encode()) for name, value in headers.items()],
        )

    async def _good_pass(self) -> dict[str, str]:
        """The pass in use, or a new one where it ends soon."""
        if self._pass:
            ends = datetime.fromisoformat(self._pass["expires_at"]).timestamp()
            if ends - time.time() > RENEW_SECONDS:
                return self._pass
        self._pass = await asyncio.to_thread(self._ask_for_pass)
        return self._pass

    def _ask_for_pass(self) -> dict[str, str]:
        request = urllib.request.Request(  # noqa: S310 - the user's own URL
            self._passes, method="POST", headers={"authorization": f"Bearer {self._token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            given: dict[str, str] = json.load(answer)
        return given


def series(key: str, points: list[tuple[int, float]]) -> dict[str, Any]:
    """Points (step, value) of one metric as a message holds them, measured now."""
    now = int(time.time() * 1000)
    return {
        "key": key,
        "steps": [step for step, _ in points],
        "times": [now] * len(points),
        "values": [value if math.isfinite(value) else _word(value) for _, value in points],
    }


def _word(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


async def train(options: argparse.Namespace, token: str) -> None:
    """A training that only pretends: a loss that falls, published as it goes."""
    run_id = options.run or uuid.uuid4().hex
    async with Producer(options.url, token) as producer:
        start = {"experiment_id": options.experiment, "start_time": int(time.time() * 1000)}
        told: dict[str, Any] = {"params": {"steps": str(options.steps)}}
        if not options.run:
            told["create"] = {**start, "name": options.name}
        await producer.publish(run_id, **told)
        for first in range(0, options.steps, POINTS_A_MESSAGE):
            steps = range(first, min(first + POINTS_A_MESSAGE, options.steps))
            losses = [(step, 1 / (1 + step / 50)) for step in steps]
            await producer.publish(run_id, metrics=[series("loss", losses)])
        await producer.publish(run_id, status="FINISHED", end_time=int(time.time() * 1000))
    print(run_id)


def main() -> int:
    """Run from the command line; 1 where the platform or its broker refuses."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--url", default=os.environ.get("MLFLOW_TRACKING_URI", ""))
    parser.add_argument("--experiment", default="0", help="the experiment's id")
    parser.add_argument("--run", default="", help="the id of a run that is there; else it is made")
    parser.add_argument("--name", default="by event", help="of the run that is made")
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()
    token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
    if not options.url or not token:
        parser.error("name the platform with --url and set MLFLOW_TRACKING_TOKEN")
    try:
        asyncio.run(train(options, token))
    except urllib.error.HTTPError as refusal:
        print(f"{refusal.code}: {refusal.read().decode(errors='replace')}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
