"""Request messages are read tolerantly and never make us fall over."""

import json
import math
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.common.errors import Refusal, invalid
from libs.common.http import reading
from libs.common.http.checks import (
    INTEGER,
    LIST,
    REQUIRED,
    TEXT,
    Schema,
    at_most,
    between,
    each_with,
)
from libs.common.http.wire import decode_body, decode_query, error_body

INVALID = (400, "INVALID_PARAMETER_VALUE")


def read_or_refused(read: Callable[[], Any]) -> Any:
    """What is read; None where it is refused as invalid, and never anything else."""
    try:
        return read()
    except Refusal as refusal:
        told = json.loads(error_body(refusal))
        return None if (refusal.status, told["error_code"]) == INVALID else refusal


class Inner(msgspec.Struct):
    """A part of a message."""

    step: int | None = None


class Checked(msgspec.Struct):
    """A message of which MLflow checks some fields."""

    SCHEMA: ClassVar[Schema] = {
        "run_id": (REQUIRED, TEXT),
        "step": (INTEGER,),
        "inners": (LIST, each_with("inners", "step")),
        "most": (INTEGER, at_most(5)),
    }

    run_id: str | None = None
    run_uuid: str | None = None
    step: int | None = None
    inners: list[Inner] = []
    note: str = ""
    most: int = 0


class Bounded(msgspec.Struct):
    """A message with a field of a bound, kept as it was written."""

    SCHEMA: ClassVar[Schema] = {"longest_page": (between(1, 5, "1 to 5."),)}

    longest_page: str = "5"


class Outer(msgspec.Struct):
    """A message with one field of each shape."""

    run_id: str | None = None
    value: float | None = None
    timestamp: int | None = None
    keep: bool | None = None
    inners: list[Inner] = []
    names: list[str] = []
    tags: dict[str, str] = {}


@settings(max_examples=100, deadline=None)
@given(st.binary())
def test_any_bytes_give_a_message_or_a_refusal(raw: bytes) -> None:
    for body in (raw, b'{"run_id":"' + raw, b'{"run_id":"' + raw + b'"}', b'{"tags":{"' + raw):
        read = read_or_refused(lambda body=body: decode_body(body, Outer))  # type: ignore[misc]
        assert read is None or isinstance(read, Outer)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-8"])
def test_a_body_in_another_unicode_encoding_is_read(encoding: str) -> None:
    assert decode_body('{"run_id": "ä"}'.encode(encoding), Outer).run_id == "ä"


def test_a_body_in_latin_1_counts_as_empty() -> None:
    assert decode_body('{"run_id": "ä"}'.encode("latin-1"), Outer).run_id is None


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"5", b'"x"', b"{", b"\xff\xfe", b"{'a':1}"])
def test_a_body_that_is_no_object_counts_as_empty(raw: bytes) -> None:
    assert msgspec.structs.asdict(decode_body(raw, Outer)) == msgspec.structs.asdict(Outer())


def test_a_body_encoded_twice_is_read() -> None:
    twice = json.dumps(json.dumps({"run_id": "a", "timestamp": "7"})).encode()
    assert decode_body(twice, Outer).timestamp == 7


@pytest.mark.parametrize("depth", [10, 500, 900, 960, 980, 990, 1_000, 5_000, 200_000])
@pytest.mark.parametrize("field", ["run_id", "value", "inners", "names", "tags", "unknown"])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_gives_a_message_or_a_refusal(
    depth: int, field: str, begin: str, end: str
) -> None:
    raw = f'{{"{field}":{begin * depth}1{end * depth}}}'.encode()
    read = read_or_refused(lambda: decode_body(raw, Outer))
    assert read is None or isinstance(read, Outer)


@pytest.mark.parametrize("depth", range(960, 1_000))
def test_no_depth_at_the_edge_of_what_is_read_falls_over(depth: int) -> None:
    """What is read may be too deep to be shown in the refusal."""
    raw = f'{{"run_id":{"[" * depth}{"]" * depth}}}'.encode()
    for kind in (Outer, Checked):
        read = read_or_refused(lambda kind=kind: decode_body(raw, kind))  # type: ignore[misc]
        assert read is None or isinstance(read, kind)


@pytest.mark.parametrize("spelled", ["longest_page", "longestPage"])
def test_a_bound_holds_however_its_field_is_spelled(spelled: str) -> None:
    assert decode_body(f'{{"{spelled}":"5"}}'.encode(), Bounded).longest_page == "5"
    for value in ('"6"', '"0"', '"1e1"', '"abc"'):
        raw = f'{{"{spelled}":{value}}}'.encode()
        assert read_or_refused(lambda raw=raw: decode_body(raw, Bounded)) is None  # type: ignore[misc]


def test_the_spellings_of_fields_are_found_once_and_not_for_each_item(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Items come by the million, and nobody else is served while they are read."""
    raw = b'{"unknown":1,"inners":[' + b",".join([b"{}"] * 50) + b"]}"
    decode_body(raw, Outer)
    monkeypatch.setattr(reading, "_json_name", lambda _: pytest.fail("found anew"))
    assert len(decode_body(raw, Outer).inners) == 50


@pytest.mark.parametrize("number", ["9" * 5_000, "1" + "0" * 400, "1e400", "-1e400", "2e63"])
@pytest.mark.parametrize("field", ["timestamp", "value"])
def test_numbers_past_all_bounds_are_never_read_as_something_else(number: str, field: str) -> None:
    for raw in (f'{{"{field}":{number}}}', f'{{"{field}":"{number}"}}'):
        read = read_or_refused(lambda raw=raw: decode_body(raw.encode(), Outer))  # type: ignore[misc]
        value = getattr(read, field, None)
        assert value is None or (field == "value" and value == float(number))


def test_a_field_spelled_two_ways_is_refused_in_mlflows_words() -> None:
    with pytest.raises(Refusal, match="Request specifies both 'run_id' and 'runId'; provide only"):
        decode_body(b'{"run_id":"a","runId":"b"}', Outer)


def test_a_refusal_names_the_place_and_shows_the_value() -> None:
    with pytest.raises(Refusal) as refused:
        decode_body(b'{"inners":[{"step":1},{"step":"soon"}]}', Outer)
    assert "Invalid value \"soon\" for parameter 'inners[1].step'" in refused.value.message


def test_a_refusal_of_unpaired_surrogates_can_be_written() -> None:
    for raw in (b'{"run_id":"\\ud800"}', b'{"tags":{"\\udfff":1}}', b'{"tags":{"a\\udc00":"b"}}'):
        with pytest.raises(Refusal) as refused:
            decode_body(raw, Outer)
        assert json.loads(error_body(refused.value))["error_code"] == "INVALID_PARAMETER_VALUE"


def test_an_error_is_written_even_where_its_text_is_no_unicode() -> None:
    assert json.loads(error_body(invalid("an odd \ud800 name")))["message"]


def test_query_strings_are_read_by_the_kind_of_each_field() -> None:
    read = decode_query("names=a&names=b&keep=TRUE&timestamp=12&value=NaN&x=1&run_id=", Outer)
    assert (read.names, read.keep, read.timestamp, read.run_id) == (["a", "b"], True, 12, "")
    assert read.value is not None
    assert math.isnan(read.value)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x3000)))
def test_any_query_string_gives_a_message_or_a_refusal(query: str) -> None:
    for text in (query, f"timestamp={query}", f"keep={query}", f"names={query}&%FF=%ED%A0%80"):
        read = read_or_refused(lambda text=text: decode_query(text, Outer))  # type: ignore[misc]
        assert read is None or isinstance(read, Outer)


def test_what_was_read_before_a_wrong_value_counts_where_mlflow_checks() -> None:
    read = decode_body(b'{"run_id":"a","step":7,"note":[1],"most":3}', Checked)
    assert (read.run_id, read.step, read.note, read.most) == ("a", 7, "", 0)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{}", "Missing value for required parameter 'run_id'."),
        ('{"run_id":"","run_uuid":"a"}', "Missing value for required parameter 'run_id'."),
        ('{"runId":"a"}', "Missing value for required parameter 'run_id'."),
        ('{"run_id":"a","step":"x"}', "Invalid value \"x\" for parameter 'step' supplied:  Hint:"),
        ('{"run_id":[1],"step":"x"}', "Invalid value [1] for parameter 'run_id' supplied:"),
        ('{"run_id":"a","inners":5}', "Invalid value 5 for parameter 'inners' supplied:"),
        ('{"run_id":"a","inners":[{"step":1},{}]}', "required parameter 'inners[1].step'"),
        ('{"run_id":"a","inners":[{"step":1},5]}', "required parameter 'inners[1].step'"),
        ('{"run_id":"a","most":6}', "Invalid value 6 for parameter 'most' supplied:"),
    ],
)
def test_checks_refuse_the_first_field_in_mlflows_order(body: str, told: str) -> None:
    with pytest.raises(Refusal) as refused:
        decode_body(body.encode(), Checked)
    assert told in refused.value.message


def test_an_old_client_names_its_run_the_old_way() -> None:
    assert decode_body(b'{"run_uuid":"a"}', Checked).run_uuid == "a"
    assert decode_body(b'{"run_uuid":"a","unknown":1}', Checked).run_uuid == "a"


@pytest.mark.parametrize(("bare", "value"), [("NaN", math.nan), ("-Infinity", -math.inf)])
def test_a_number_that_json_does_not_know_is_read_as_what_it_says(bare: str, value: float) -> None:
    read = decode_body(f'{{"value":{bare},"timestamp":5}}'.encode(), Outer)
    assert repr(read.value) == repr(value)
    assert read.timestamp == 5
