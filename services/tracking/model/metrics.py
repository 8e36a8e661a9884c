"""Metric points: what is stored of the numbers that a client sends."""

import math
import re
import sys
from typing import Final

import msgspec

from libs.common.errors import Refusal, invalid, missing
from services.tracking.model.limits import (
    KEY_LENGTH,
    check_length,
    check_name,
    fault_of_name,
    unfit,
)

NO_CONTEXT: Final = ("", "", "")
DATASET_NAME_LENGTH: Final = 500
DATASET_DIGEST_LENGTH: Final = 36
_MODEL_ID: Final = re.compile(r"^m-[0-9a-f]{32}$")


class Point(msgspec.Struct, frozen=True, gc=False):
    """One measurement: `time` is the client's milliseconds; '' where no model or dataset is told."""

    key: str
    value: float
    time: int
    step: int
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


def point(
    key: str,
    value: float,
    time: int,
    step: int,
    context: tuple[str, str, str] = NO_CONTEXT,
    place: int | None = None,
) -> Point:
    """A point as it is stored; `place` is its place in a batch, for refusals.

    Infinities become the greatest and the least double, as MLflow stores them; not-a-number stays.
    """
    if time < 0 or len(key) > KEY_LENGTH or fault_of_name(key):
        _check(key, value, time, "" if place is None else f"metrics[{place}].")
    if math.isinf(value):
        value = math.copysign(sys.float_info.max, value)
    if context == NO_CONTEXT:
        return Point(key, value, time, step)
    return Point(key, value, time, step, *_context(*context))


def no_model(model_id: str) -> Refusal:
    """No such logged model, or none in the caller's workspace."""
    return missing(f"Logged model with ID '{model_id}' not found.")


def _check(key: str, value: float, time: int, path: str) -> None:
    check_name(key, f"{path}name")
    if time < 0:
        raise unfit(
            f"{path}timestamp",
            time,
            f"metric '{key}' (value={value}). Timestamp must be a nonnegative long (64-bit integer) ",
        )
    check_length("Metric name", KEY_LENGTH, key)


def _context(model_id: str, dataset_name: str, dataset_digest: str) -> tuple[str, str, str]:
    """Model and dataset of a point; without a model MLflow looks at a dataset's length no more."""
    if bool(dataset_name) != bool(dataset_digest):
        raise invalid("Both dataset_name and dataset_digest must be provided if one is provided")
    if not model_id:
        return "", dataset_name[:DATASET_NAME_LENGTH], dataset_digest[:DATASET_DIGEST_LENGTH]
    if not _MODEL_ID.match(model_id):
        raise no_model(model_id)
    check_length("dataset_name", DATASET_NAME_LENGTH, dataset_name)
    check_length("dataset_digest", DATASET_DIGEST_LENGTH, dataset_digest)
    return model_id, dataset_name, dataset_digest
