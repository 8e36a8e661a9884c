"""A long conversation with a tracking server, the same for MLflow's own and for ours.

A step is a name, a method, a path and what is sent: a body (POST) or a query (GET). `$names` are
filled in with what earlier steps gave. `recorded.json` beside this file holds what `mlflow server`
3.17.2 answered; `python -m tests.service.tracking.record URL` asks it again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.service.tracking import steps_of_experiments, steps_of_logging, steps_of_runs

# Fields that are each server's own, and those of MLflow's errors that no client reads.
MOMENTARY = frozenset({"creation_time", "last_update_time", "next_page_token"})
UNREAD = frozenset({"sqlstate", "error_class"})
LONG = 1_000
# Names of ids that are short numbers, which may stand anywhere by chance.
NUMBERED = ("exp", "other")
BY_KEY = frozenset({"metrics", "params", "tags"})


@dataclass(frozen=True)
class Step:
    """One request; `keep` maps a name to the path of a value in the answer."""

    name: str
    method: str
    path: str
    sent: Any
    keep: Mapping[str, str] = field(default_factory=dict)


def steps() -> Iterator[Step]:
    """All steps in their order."""
    for module in (steps_of_experiments, steps_of_runs, steps_of_logging):
        for given in module.STEPS:
            yield Step(*given)


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """A value with its `$names` filled in."""
    if isinstance(value, str):
        return re.sub(r"\$(\w+)", lambda found: known.get(found[1], found[0]), value)
    if isinstance(value, dict):
        return {key: filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    return value


def kept(answer: Any, path: str) -> str:
    """The value at `run.info.run_id` of an answer."""
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return str(answer)


def comparable(value: Any, known: Mapping[str, str], name: str = "") -> Any:
    """An answer without what differs from server to server: ids, times, orders nobody promises."""
    if isinstance(value, dict):
        return {
            key: comparable(inner, known, key)
            for key, inner in sorted(value.items())
            if key not in UNREAD
        }
    if isinstance(value, list):
        found = [comparable(inner, known) for inner in value]
        by_key = name in BY_KEY and all("timestamp" not in inner for inner in found)
        return sorted(found, key=lambda inner: str(inner["key"])) if by_key else found
    if name in MOMENTARY:
        return "as it is"
    if isinstance(value, str):
        return _comparable_text(value, known, name)
    return float(value) if isinstance(value, int | float) else value


def _comparable_text(text: str, known: Mapping[str, str], name: str) -> str:
    if name == "experiment_id":
        return next(
            (f"${known_as}" for known_as in NUMBERED if known.get(known_as) == text), "an id"
        )
    for placeholder, found in known.items():
        if placeholder not in NUMBERED:
            text = text.replace(found, f"${placeholder}")
    if name == "message":
        # What a database said about it is no part of the contract, nor is the order of a set.
        text = text.split(" Error: (")[0].split("\n[SQL")[0]
        text = re.sub(r"(?<!logged=)'?[{\[(]'.*", "a set", text)
        text = re.sub(r"(experiment |id=|id )\d+", r"\1N", text)
    text = re.sub(r"mlflow-artifacts:/\d+", "mlflow-artifacts:/N", text)
    return text if len(text) < LONG else f"{text[:20]}… {len(text)} characters"
