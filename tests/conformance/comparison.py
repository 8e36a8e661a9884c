"""When two answers are the same: status, content type and body, but for what is listed here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.conformance.servers import Answer

# Values that are each server's own, wherever they stand in an answer, and why.
MASKED: Final[Mapping[str, str]] = {
    "creation_time": "the server's clock",
    "last_update_time": "the server's clock",
    "creation_timestamp_ms": "the server's clock",
    "last_updated_timestamp_ms": "the server's clock",
    "next_page_token": "opaque; whether there is one is compared",
    "sqlstate": "of MLflow's error class, in some errors of 3.17; no client reads it",
    "error_class": "of MLflow's error class, in some errors of 3.17; no client reads it",
}
# Fields that may be absent on one side.
OPTIONAL: Final = frozenset({"sqlstate", "error_class"})
# Lists that come from MLflow's database without an ORDER BY: the order is nobody's promise.
UNORDERED: Final[Mapping[str, str]] = {
    "run.data.metrics": "latest metrics of a run are selected without an order",
    "run.data.params": "params of a run are selected without an order",
    "run.data.tags": "tags of a run are selected without an order",
    "runs[].data.metrics": "as of one run",
    "runs[].data.params": "as of one run",
    "runs[].data.tags": "as of one run",
    "experiment.tags": "tags of an experiment are selected without an order",
    "experiments[].tags": "as of one experiment",
    "model.info.tags": "tags of a logged model are selected without an order",
    "model.data.params": "params of a logged model are selected without an order",
    "model.data.metrics": "metrics of a logged model are selected without an order",
    "models[].info.tags": "as of one logged model",
    "models[].data.params": "as of one logged model",
    "models[].data.metrics": "as of one logged model",
    "run.inputs.dataset_inputs": "inputs of a run are selected without an order",
    "run.inputs.dataset_inputs[].tags": "tags of an input are selected without an order",
    "run.inputs.model_inputs": "inputs of a run are selected without an order",
    "run.outputs.model_outputs": "outputs of a run are selected without an order",
    "dataset_summaries": "summaries are selected with DISTINCT and without an order",
}
# A name that a server makes up for a run or logged model which was given none.
_MADE_UP: Final = re.compile(r"\b[a-z]+-[a-z]+-\d{1,4}\b")
# Ids that a server gives: run, logged model, and experiments by where both start to count; not
# those that the cases make up.
_ID: Final = re.compile(r"\b(m-)?(?!0123456789abcdef)[0-9a-f]{32}\b|\b7000\d{3}\b")
_LONG: Final = 400
ABSENT: Final = "absent"


@dataclass
class Ids:
    """Which id of one server stands for which of the other, by where both were first seen."""

    ours: dict[str, str] = field(default_factory=dict)
    theirs: dict[str, str] = field(default_factory=dict)

    def same(self, theirs: str, ours: str) -> bool:
        """Whether two texts are the same but for ids that stand for each other."""
        if _ID.sub("<id>", theirs) != _ID.sub("<id>", ours):
            return False
        pairs = zip(_ids_in(theirs), _ids_in(ours), strict=True)
        return False not in [self._are_one(one, other) for one, other in pairs]

    def _are_one(self, theirs: str, ours: str) -> bool:
        known = self.ours.setdefault(theirs, ours), self.theirs.setdefault(ours, theirs)
        return known == (ours, theirs)


def _ids_in(text: str) -> list[str]:
    return [found[0] for found in _ID.finditer(text)]


def comparable(answer: Answer) -> Any:
    """An answer without what is masked."""
    return {"status": answer.status, "type": answer.content_type, "body": _body(answer)}


def _body(answer: Answer) -> Any:
    text = answer.body.decode("utf-8", "replace")
    if not answer.content_type.startswith("application/json"):
        return text
    try:
        return _value(json.loads(text), "", "")
    except ValueError:
        return text


def _value(value: Any, path: str, name: str) -> Any:
    if name in MASKED:
        return f"<{MASKED[name]}>"
    if isinstance(value, dict):
        return {
            key: _value(inner, f"{path}.{key}".lstrip("."), key)
            for key, inner in sorted(value.items())
            if key not in OPTIONAL
        }
    if isinstance(value, list):
        items = sorted(value, key=_sort_key) if path in UNORDERED else value
        return [_value(item, f"{path}[]", "") for item in items]
    return _MADE_UP.sub("<made up>", value) if isinstance(value, str) else value


def _sort_key(item: Any) -> str:
    """By what is the same on both servers: ids and times are not."""
    return _MADE_UP.sub("", _ID.sub("<id>", json.dumps(item, sort_keys=True)))


def differences(theirs: Any, ours: Any, ids: Ids, path: str = "") -> list[str]:
    """Where two comparable answers differ, a line each."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        names = sorted({*theirs, *ours})
        pairs = [(f".{name}", theirs.get(name, ABSENT), ours.get(name, ABSENT)) for name in names]
    elif isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = [(f"[{i}]", t, o) for i, (t, o) in enumerate(zip(theirs, ours, strict=True))]
    else:
        same = _same(theirs, ours, ids)
        return [] if same else [f"{path}: MLflow {_shown(theirs)} | ours {_shown(ours)}"]
    return [
        line
        for name, one, other in pairs
        for line in differences(one, other, ids, f"{path}{name}".lstrip("."))
    ]


def _same(theirs: Any, ours: Any, ids: Ids) -> bool:
    if isinstance(theirs, str) and isinstance(ours, str):
        return ids.same(theirs, ours)
    return json.dumps(theirs) == json.dumps(ours)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < _LONG else f"{text[:250]}…{text[-120:]}"
