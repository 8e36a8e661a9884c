"""Messages of producers: both forms say the same, and whatever else comes is refused by its field."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.contracts.ingest import EXAMPLE, JSON_TYPE, PACKED_TYPE, RunLogged
from libs.common.events.messages import Message, Unfit
from services.tracking.model.ingest_messages import Rejected, believed, decoded, opened
from services.tracking.model.passes import Pass, PassSeal, signature

RUN = EXAMPLE.run_id
TENANT = "7d5f6a3e-1c2b-4d3e-8f9a-0b1c2d3e4f50"
EVENT = b"5f0c6a0e-3b0f-4c57-9d52-6f1d0b8a7c11"
NOW = 1_767_225_600
GRANTED = Pass(
    tenant=TENANT,
    tenant_no=7,
    workspace_id=1,
    subject="user:ada",
    actor="token",
    scopes=("*",),
    epoch=0,
    issued_at=NOW,
    expires_at=NOW + 60,
)
SEAL = PassSeal("secret of tracking")
FORMS = {JSON_TYPE.encode(): msgspec.json.encode, PACKED_TYPE.encode(): msgspec.msgpack.encode}
_numbers = st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity"])
_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_names = st.text("abc/_-. ", min_size=1, max_size=8)


@st.composite
def _series(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(0, 4))
    steps = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=count, max_size=count)
    times = st.lists(st.integers(0, 2**63 - 1), min_size=count, max_size=count)
    return {
        "key": draw(_names),
        "values": draw(st.lists(_numbers, min_size=count, max_size=count)),
        "times": draw(times),
        **draw(st.fixed_dictionaries({}, optional={"steps": steps})),
    }


_bodies = st.fixed_dictionaries(
    {"run_id": st.just(RUN)},
    optional={
        "metrics": st.lists(_series(), max_size=3),
        "params": st.dictionaries(_names, _texts, max_size=3),
        "tags": st.dictionaries(_names, _texts, max_size=3),
        "status": st.sampled_from(["RUNNING", "FINISHED"]),
        "end_time": st.integers(0, 2**63 - 1),
        "create": st.fixed_dictionaries(
            {"experiment_id": st.just("3"), "start_time": st.integers(0, 2**40)},
            optional={"name": _texts},
        ),
    },
)


def message(body: bytes, form: bytes, arrived: int = NOW * 1000) -> Message:
    """A message that the holder of the pass signed."""
    text, secret = SEAL.sealed(GRANTED)
    key, kind = f"{TENANT}/{RUN}".encode(), b"tracking.ingest.run-logged"
    headers = {
        "ce_specversion": b"1.0",
        "ce_id": EVENT,
        "ce_type": kind,
        "content-type": form,
        "maestro-pass": text.encode(),
        "maestro-signature": signature(secret.encode(), EVENT, kind, key, form, body).encode(),
    }
    return Message(key, body, headers, arrived)


def outcome(body: bytes, form: bytes) -> object:
    """What a message says, in a form that compares not-a-number with itself; or why it is refused."""
    try:
        one = opened(GRANTED, message(body, form))
    except Rejected as rejected:
        return rejected.unfit.field, rejected.unfit.reason
    points = [
        (each.key, list(map(repr, each.values)), each.times, each.steps) for each in one.metrics
    ]
    told = one.told
    return points, one.params, one.tags, told.create, told.status, told.end_time, one.run_id


def refused(form: bytes, body: bytes) -> Unfit | None:
    """Why a body is refused, None where it is read."""
    try:
        decoded(form, body)
    except Rejected as rejected:
        return rejected.unfit
    return None


@given(_bodies)
@settings(max_examples=200, deadline=None)
def test_both_forms_say_the_same(body: dict[str, Any]) -> None:
    # JSON has no word for numbers that are none; MessagePack has both the number and the text.
    for series in body.get("metrics", ()):
        series["values"] = [
            value if isinstance(value, str) or math.isfinite(value) else _word(value)
            for value in series["values"]
        ]
    found = {form: outcome(encode(body), form) for form, encode in FORMS.items()}
    assert found[JSON_TYPE.encode()] == found[PACKED_TYPE.encode()]


def _word(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


@pytest.mark.parametrize("form", FORMS)
@given(body=st.binary(max_size=200))
@settings(max_examples=500, deadline=None)
def test_random_bytes_are_refused_and_nothing_else(form: bytes, body: bytes) -> None:
    unfit = refused(form, body)
    assert unfit is None or (unfit.field and unfit.reason)


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_body_is_refused_or_read(form: bytes, data: st.DataObject) -> None:
    whole = bytearray(FORMS[form](EXAMPLE))
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=4)):
        whole[at] = data.draw(st.integers(0, 255))
    try:
        one = opened(GRANTED, message(bytes(whole), form))
    except Rejected:
        return
    assert one.told.run_id == RUN


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\x82\xa6run_id\xa1x\xa7metrics\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\x91" * 5000,
    ],
)
def test_a_claim_of_billions_of_entries_takes_no_memory(body: bytes) -> None:
    with pytest.raises(Rejected):
        decoded(PACKED_TYPE.encode(), body)


def test_a_pass_is_believed_until_its_end() -> None:
    body = msgspec.json.encode(EXAMPLE)
    last = message(body, JSON_TYPE.encode(), (NOW + 60) * 1000)
    assert believed(SEAL, last) == GRANTED
    with pytest.raises(Rejected, match="ended"):
        believed(SEAL, message(body, JSON_TYPE.encode(), (NOW + 60) * 1000 + 1))
    with pytest.raises(Rejected, match="none that this platform gave"):
        believed(PassSeal("another"), last)


@pytest.mark.parametrize("name", ["ce_id", "ce_type", "content-type", "key", "body"])
def test_what_is_signed_cannot_be_changed(name: str) -> None:
    good = message(msgspec.json.encode(EXAMPLE), JSON_TYPE.encode())
    headers = dict(good.headers)
    if name == "ce_id":
        headers[name] = EVENT.replace(b"5", b"6")
    elif name in headers:
        headers[name] += b"x"
    key = good.key + b"x" if name == "key" else good.key
    value = good.value + b" " if name == "body" else good.value
    with pytest.raises(Rejected) as caught:
        believed(SEAL, Message(key, value, headers, good.arrived))
    assert caught.value.unfit.field == "maestro-signature"


@given(st.binary(max_size=80))
def test_no_other_stamp_tells_when_a_message_came(stamp: bytes) -> None:
    assert SEAL.arrived(stamp, b"signature") is None
    made = SEAL.arrival(NOW, b"signature")
    assert SEAL.arrived(made, b"signature") == NOW
    assert SEAL.arrived(made, b"of another message") is None


@given(st.binary(max_size=120))
def test_nothing_else_is_a_pass(given_pass: bytes) -> None:
    assert SEAL.opened(given_pass) is None


def test_infinities_are_stored_as_mlflow_stores_them() -> None:
    body = {
        "run_id": RUN,
        "metrics": [{"key": "m", "values": ["NaN", "Infinity", "-Infinity", 1], "times": [1] * 4}],
    }
    (series,) = opened(GRANTED, message(msgspec.json.encode(body), JSON_TYPE.encode())).metrics
    greatest = 1.7976931348623157e308
    assert list(map(repr, series.values)) == ["nan", repr(greatest), repr(-greatest), "1.0"]
    assert series.steps == [0] * 4


def test_the_example_of_the_description_is_taken() -> None:
    body = msgspec.json.encode(EXAMPLE)
    assert opened(GRANTED, message(body, JSON_TYPE.encode())).told == msgspec.json.decode(
        body, type=RunLogged
    )
