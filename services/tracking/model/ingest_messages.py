"""Messages of producers outside: opened, believed or not, decoded, and held against the limits.

A message is what `Opened` holds, or it is `Rejected` with the field that is wrong and the reason.
"""

import hmac
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID, uuid5

import msgspec

from libs.common.contracts.ingest import (
    INGEST,
    JSON_TYPE,
    LARGEST_BODY,
    PACKED_TYPE,
    PASS_HEADER,
    SIGNATURE_HEADER,
    RunLogged,
    Series,
)
from libs.common.errors import Refusal
from libs.common.events.messages import Message, Unfit
from services.tracking.model import limits
from services.tracking.model.metrics import point
from services.tracking.model.passes import Pass, PassSeal, signature

ARRIVAL_HEADER: Final = "maestro-arrival"
LARGEST_HEADERS: Final = 16_384
TYPE: Final = INGEST.type_of(RunLogged).encode()
_ID: Final = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DECODERS: Final[Mapping[bytes, Callable[[bytes], RunLogged]]] = {
    JSON_TYPE.encode(): msgspec.json.Decoder(RunLogged).decode,
    PACKED_TYPE.encode(): msgspec.msgpack.Decoder(RunLogged).decode,
}
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$")


class Rejected(Exception):
    """A message that cannot be applied, and why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.unfit = Unfit(field, reason)


class Columns(NamedTuple):
    """Points of one metric as they are stored; `context` is of model, dataset and digest."""

    key: str
    values: Sequence[float]
    times: Sequence[int]
    steps: Sequence[int]
    context: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that is what its pass's owner sent; params and tags are cut as they are stored.

    `inbox_id` is the event's id among all tenants': nobody can use up another's.
    """

    granted: Pass
    inbox_id: UUID
    run_id: UUID
    told: RunLogged
    metrics: list[Columns]
    params: dict[str, str]
    tags: dict[str, str]


def believed(seal: PassSeal, message: Message) -> Pass:
    """The pass whose holder sent a message, while it was good; raises Rejected."""
    headers = message.headers
    if sum(map(len, headers.values())) > LARGEST_HEADERS:
        raise Rejected("headers", f"they are longer than {LARGEST_HEADERS} bytes")
    if len(message.value) > LARGEST_BODY:
        raise Rejected("body", f"it is longer than {LARGEST_BODY} bytes")
    if not _ID.fullmatch(headers.get("ce_id", b"")):
        raise Rejected("ce_id", "it is no UUID, in lower case with hyphens")
    opened = seal.opened(headers.get(PASS_HEADER, b""))
    if opened is None:
        raise Rejected(PASS_HEADER, "it is absent, or none that this platform gave")
    granted, secret = opened
    given = headers.get(SIGNATURE_HEADER, b"")
    wanted = signature(
        secret,
        *(headers["ce_id"], headers.get("ce_type", b""), message.key),
        *(headers.get("content-type", b""), message.value),
    )
    if not hmac.compare_digest(given, wanted.encode()):
        raise Rejected(SIGNATURE_HEADER, "it is not what the holder of the pass would write")
    if arrival_of(seal, message) > granted.expires_at * 1000:
        raise Rejected(PASS_HEADER, "it had ended when the message came")
    return granted


def arrival_of(seal: PassSeal, message: Message) -> int:
    """When a message first came, in milliseconds: one that was put back bears a stamp of ours."""
    stamp = message.headers.get(ARRIVAL_HEADER, b"")
    arrived = seal.arrived(stamp, message.headers.get(SIGNATURE_HEADER, b""))
    return message.arrived if arrived is None else arrived


def opened(granted: Pass, message: Message) -> Opened:
    """What a believed message says; raises Rejected where it is not in form or within limits."""
    headers = message.headers
    if headers.get("ce_specversion") != b"1.0":
        raise Rejected("ce_specversion", "it is not 1.0")
    if headers.get("ce_type") != TYPE:
        raise Rejected("ce_type", f"it is not {TYPE.decode()}")
    told = decoded(headers.get("content-type", b""), message.value)
    if message.key != f"{granted.tenant}/{told.run_id}".encode():
        raise Rejected("key", "it is not the pass's tenant, a slash, and the body's run_id")
    metrics = [_columns(place, series) for place, series in enumerate(told.metrics)]
    params, tags = _texts(told, sum(len(columns.values) for columns in metrics))
    return Opened(
        granted=granted,
        inbox_id=uuid5(UUID(granted.tenant), headers["ce_id"].decode()),
        run_id=UUID(told.run_id),
        told=told,
        metrics=metrics,
        params=params,
        tags=tags,
    )


def decoded(form: bytes, body: bytes) -> RunLogged:
    """The body of a message in the form that `content-type` names; raises Rejected."""
    decode = _DECODERS.get(form)
    if decode is None:
        raise Rejected("content-type", f"it is neither {JSON_TYPE} nor {PACKED_TYPE}")
    try:
        return decode(body)
    except msgspec.ValidationError as problem:
        told = str(problem)
        place = _PLACE.search(told)
        if place is None:
            raise Rejected("body", told) from None
        raise Rejected(place.group(1) or "body", told[: place.start()]) from None
    except (ValueError, RecursionError, MemoryError) as problem:
        raise Rejected("body", str(problem) or type(problem).__name__) from None


def _columns(place: int, series: Series) -> Columns:
    path = f"metrics[{place}]"
    count = len(series.values)
    if len(series.times) != count:
        raise Rejected(f"{path}.times", f"{len(series.times)} for {count} values")
    if series.steps and len(series.steps) != count:
        raise Rejected(f"{path}.steps", f"{len(series.steps)} for {count} values")
    context = series.model_id, series.dataset_name, series.dataset_digest
    if any("\0" in text for text in context):
        raise Rejected(path, "a text holds the character NUL")
    try:
        checked = point(series.key, 0.0, 0, 0, context, place)
    except Refusal as refusal:
        raise Rejected(path, refusal.message) from None
    context = checked.model_id, checked.dataset_name, checked.dataset_digest
    steps = series.steps or [0] * count
    return Columns(series.key, _numbers(series.values), series.times, steps, context)


def _numbers(values: Sequence[float | str]) -> Sequence[float]:
    """The values as they are stored: infinities as the greatest and the least double, as MLflow."""
    try:
        # Whether all are finite numbers, without looking at each from here.
        if math.isfinite(sum(values)):  # type: ignore[arg-type]
            return values  # type: ignore[return-value]
    except TypeError:
        pass
    return [_number(float(value)) for value in values]


def _number(value: float) -> float:
    return math.copysign(sys.float_info.max, value) if math.isinf(value) else value


def _texts(told: RunLogged, points: int) -> tuple[dict[str, str], dict[str, str]]:
    """Params and tags as they are stored."""
    if told.create is not None and "\0" in told.create.name + told.create.user_id:
        raise Rejected("create", "a text holds the character NUL")
    for field, texts in (("params", told.params), ("tags", told.tags)):
        if any("\0" in value for value in texts.values()):
            raise Rejected(field, "a value holds the character NUL")
    try:
        limits.check_batch(points, len(told.params), len(told.tags))
        params = dict(limits.param(key, value, "params") for key, value in told.params.items())
        tags = dict(limits.tag(key, value, "tags") for key, value in told.tags.items())
    except Refusal as refusal:
        raise Rejected("body", refusal.message) from None
    return params, tags
