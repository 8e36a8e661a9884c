"""Request messages are accepted and read as MLflow's own reader, protobuf's, does."""

import json
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseError
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.protos import model_registry_pb2, service_pb2
from mlflow.utils.proto_json_utils import parse_dict

from libs.common.errors import Refusal
from libs.common.http.wire import decode_body, error_body

MESSAGES = (
    service_pb2.CreateExperiment,
    service_pb2.CreateRun,
    service_pb2.LogMetric,
    service_pb2.LogParam,
    service_pb2.LogBatch,
    service_pb2.SetTag,
    service_pb2.LogInputs,
    service_pb2.LogOutputs,
    service_pb2.UpdateRun,
    service_pb2.CreateLoggedModel,
    service_pb2.SearchLoggedModels,
    model_registry_pb2.CreateRegisteredModel,
    model_registry_pb2.CreateModelVersion,
    model_registry_pb2.SetModelVersionTag,
)
INVALID = (400, "INVALID_PARAMETER_VALUE")
SCALARS: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
    FieldDescriptor.CPPTYPE_BOOL: bool,
}


def compared_fields(message: Descriptor) -> list[FieldDescriptor]:
    """The fields whose reading is the wire's matter; enums and 32 bits are each operation's."""
    return [
        field
        for field in message.fields
        if field.cpp_type in SCALARS
        or (field.message_type and field.message_type.full_name.startswith("mlflow."))
    ]


@cache
def struct_of(message: Descriptor) -> Any:
    """A msgspec Struct with the fields of a protobuf message."""
    fields: list[tuple[str, Any, Any]] = []
    for field in compared_fields(message):
        kind: Any = struct_of(field.message_type) if field.message_type else SCALARS[field.cpp_type]
        if field.is_repeated:
            fields.append((field.name, list[kind], msgspec.field(default_factory=list)))
        else:
            fields.append((field.name, kind | None, None))
    return msgspec.defstruct(message.name, fields)


def as_plain(read: Any, message: Descriptor) -> dict[str, Any]:
    """What a protobuf message holds, unset fields left out, floats by their text."""
    found = {}
    for field in compared_fields(message):
        value = getattr(read, field.name)
        if field.is_repeated:
            found[field.name] = [plain_value(item, field) for item in value]
        elif read.HasField(field.name):
            found[field.name] = plain_value(value, field)
    return {name: value for name, value in found.items() if value != []}


def plain_value(value: Any, field: FieldDescriptor) -> Any:
    """One value of a protobuf field."""
    return as_plain(value, field.message_type) if field.message_type else comparable(value)


def struct_plain(read: Any) -> Any:
    """What a Struct holds, unset fields left out."""
    if isinstance(read, msgspec.Struct):
        found = {name: struct_plain(getattr(read, name)) for name in read.__struct_fields__}
        return {name: value for name, value in found.items() if value is not None and value != []}
    return [struct_plain(item) for item in read] if isinstance(read, list) else comparable(read)


def comparable(value: Any) -> Any:
    """Floats by their text, because not-a-number equals nothing."""
    return repr(value) if isinstance(value, float) else value


ODD_NUMBERS = st.sampled_from(
    [0, -1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30, 10**400]
) | st.sampled_from([0.0, 1.0, 1.5, -0.0, 1e15, 1e30, 1e308, math.inf, -math.inf, math.nan])
ODD_TEXTS = st.sampled_from(
    [
        "0",
        "12",
        "-5",
        " 5",
        "5 ",
        "\n5",
        "5\t",
        "1_000",
        "1e3",
        "1.0",
        "1.5",
        "0x10",
        "٣",
        "999999999999999999999999999",
        "1e999",
    ]
) | st.sampled_from(
    ["", "NaN", "nan", "Infinity", "-Infinity", "inf", "true", "null", "�", "a\x00b", "𝔘"]
)
SCALAR_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), ODD_NUMBERS, st.text(), ODD_TEXTS
)
ANY_VALUES = st.one_of(
    SCALAR_VALUES,
    st.lists(SCALAR_VALUES, max_size=3),
    st.dictionaries(st.text(max_size=4), SCALAR_VALUES, max_size=3),
)
FITTING: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(-(2**63), 2**63 - 1) | st.integers(-(2**63), 2**63 - 1).map(str),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(["NaN", "1.5", 3]),
    bool: st.booleans(),
}


@st.composite
def bodies(draw: st.DrawFn, message: Descriptor) -> dict[str, Any]:
    """A JSON object near to `message`: most values fit, names are written every way."""
    found: dict[str, Any] = {}
    for field in compared_fields(message):
        if not draw(st.booleans()):
            continue
        name = draw(st.sampled_from([field.name, field.name, field.json_name, field.name.upper()]))
        found[name] = draw(values(field))
    for name in draw(st.lists(st.sampled_from(["unknown", "runID", "Key", "", "_", "__"]))):
        found[name] = draw(ANY_VALUES)
    return found


@st.composite
def values(draw: st.DrawFn, field: FieldDescriptor) -> Any:
    """A value for a field, which fits it three times of four."""
    if draw(st.integers(0, 3)) == 0:
        return draw(ANY_VALUES)
    one = bodies(field.message_type) if field.message_type else FITTING[SCALARS[field.cpp_type]]
    return draw(st.lists(one, max_size=3) if field.is_repeated else one)


def quoted(found: Any, message: Descriptor) -> Any:
    """The object with quotes around what is no finite number, as protobuf's reader wants them.

    MLflow's reader stops at a bare one and keeps what was before it; we read it as what it says.
    """
    if not isinstance(found, dict):
        return found
    by_name = {name: f for f in compared_fields(message) for name in (f.name, f.json_name)}
    return {
        name: quoted_value(value, by_name[name]) if name in by_name else value
        for name, value in found.items()
    }


def quoted_value(value: Any, field: FieldDescriptor) -> Any:
    """One value of a field with those quotes."""
    if isinstance(value, list):
        return [quoted_value(item, field) for item in value]
    if field.message_type:
        return quoted(value, field.message_type)
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE and isinstance(value, float):
        return value if math.isfinite(value) else json.loads(f'"{json.dumps(value)}"')
    return value


def read_by_protobuf(raw: bytes, kind: Any) -> dict[str, Any] | None:
    """What MLflow makes of a body; None when it refuses it."""
    message, body = kind(), quoted(json.loads(raw), kind.DESCRIPTOR)
    try:
        parse_dict(body, message)  # type: ignore[no-untyped-call]
    except (ParseError, OverflowError):  # an integer past all floats overflows in MLflow
        return None
    return as_plain(message, kind.DESCRIPTOR)


def read_or_refused(read: Callable[[], Any]) -> Any:
    """What is read; None where it is refused as invalid, and never anything else."""
    try:
        return read()
    except Refusal as refusal:
        told = json.loads(error_body(refusal))
        return None if (refusal.status, told["error_code"]) == INVALID else refusal


def read_by_us(raw: bytes, kind: Any) -> dict[str, Any] | None:
    """What we make of a body; None when we refuse it as invalid."""
    read = read_or_refused(lambda: decode_body(raw, struct_of(kind.DESCRIPTOR)))
    return None if read is None else struct_plain(read)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: str(kind.DESCRIPTOR.name))
def test_bodies_are_accepted_and_read_as_protobuf_does(kind: Any) -> None:
    @settings(max_examples=50, deadline=None)
    @given(bodies(kind.DESCRIPTOR))
    def reads_the_same(body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        assert read_by_us(raw, kind) == read_by_protobuf(raw, kind)

    reads_the_same()


@settings(max_examples=150, deadline=None)
@given(value=SCALAR_VALUES | ANY_VALUES, field=st.sampled_from(["value", "timestamp", "key"]))
def test_each_scalar_is_accepted_and_read_as_protobuf_does(value: Any, field: str) -> None:
    raw = json.dumps({field: value}).encode()
    assert read_by_us(raw, service_pb2.LogMetric) == read_by_protobuf(raw, service_pb2.LogMetric)
