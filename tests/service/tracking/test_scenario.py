"""Our answers, step by step, beside those of `mlflow server` 3.17.2."""

import json
from typing import Any

import msgspec

from tests.service.tracking.record import RECORDED
from tests.service.tracking.scenario import Step, comparable, filled, kept, steps
from tests.serving import Client


async def ask(client: Client, step: Step, known: dict[str, str]) -> tuple[int, Any]:
    """One step's status and answer."""
    sent = filled(step.sent, known)
    path = f"/api/2.0/mlflow/{step.path}"
    if step.method == "GET":
        reply = await client.ask("GET", path, query=sent)
    else:
        reply = await client.ask("POST", path, sent)
    return reply.status, msgspec.json.decode(reply.body)


async def test_every_answer_is_that_of_mlflow_server(client: Client) -> None:
    recorded = json.loads(RECORDED.read_text())
    known = {"prefix": "of-our-own"}
    different = {}
    for step in steps():
        status, answer = await ask(client, step, known)
        if status == 200:
            known |= {name: kept(answer, path) for name, path in step.keep.items()}
        ours = {"status": status, "body": comparable(answer, known)}
        if ours != recorded[step.name]:
            different[step.name] = (ours, recorded[step.name])
    told = "\n".join(
        f"{name}\n  ours   {ours}\n  MLflow {theirs}" for name, (ours, theirs) in different.items()
    )
    assert not different, told
