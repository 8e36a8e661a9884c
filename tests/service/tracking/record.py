"""Records what a real `mlflow server` answers to the scenario: `… record http://127.0.0.1:5000`."""

import json
import sys
import uuid
from pathlib import Path
from typing import Any

import requests

from tests.service.tracking.scenario import Step, comparable, filled, kept, steps

RECORDED = Path(__file__).with_name("recorded.json")


def main(url: str) -> None:
    """Ask the server at `url` every step, and keep its answers beside this file."""
    known = {"prefix": f"s{uuid.uuid4().hex[:10]}"}
    answers = {}
    for step in steps():
        status, answer = _ask(url, step, known)
        known |= {name: kept(answer, path) for name, path in step.keep.items()}
        answers[step.name] = {"status": status, "body": comparable(answer, known)}
    RECORDED.write_text(json.dumps(answers, indent=1, ensure_ascii=False) + "\n")


def _ask(url: str, step: Step, known: dict[str, str]) -> tuple[int, Any]:
    sent = filled(step.sent, known)
    target = f"{url}/api/2.0/mlflow/{step.path}"
    if step.method == "GET":
        answer = requests.get(f"{target}?{sent}" if sent else target, timeout=60)
    else:
        answer = requests.post(target, json=sent, timeout=60)
    return answer.status_code, answer.json()


if __name__ == "__main__":
    main(sys.argv[1])
