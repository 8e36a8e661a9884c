"""A fact's envelope comes back as it was sent, and anything else is refused by name."""

import contextlib
import json
import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.contracts.topic import Topic
from libs.common.events.envelope import (
    Headers,
    Malformed,
    Unheard,
    headers,
    open_event,
    traceparent_of,
)


class ThingCreated(msgspec.Struct, frozen=True, kw_only=True):
    """A made-up fact."""

    version: int
    thing: str
    tags: dict[str, str] = {}


THINGS = Topic("probe.thing.v1", {"created": ThingCreated}, lambda fact: fact.thing)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def sent(**changes: object) -> Headers:
    """The headers of a good fact, with some changed."""
    fields: dict[str, object] = {
        "event_id": uuid.UUID(int=7),
        "type_name": "probe.thing.created",
        "service": "probe",
        "key": "a",
        "tenant": str(uuid.UUID(int=1)),
        "tenant_no": 1,
        "subject": "ann",
        "version": 3,
        "time": "2026-01-02T03:04:05+00:00",
        "traceparent": TRACE,
    }
    return headers(**(fields | changes))  # type: ignore[arg-type]


def without(name: str) -> Headers:
    """The headers of a good fact, less one."""
    return [pair for pair in sent() if pair[0] != name]


def with_value(name: str, value: bytes | None) -> Headers:
    """The headers of a good fact, with one replaced."""
    return [(key, value if key == name else raw) for key, raw in sent()]  # type: ignore[misc]


GOOD = b'{"version":3,"thing":"a"}'


@given(
    event_id=st.uuids(),
    key=TEXT,
    tenant=st.uuids(),
    tenant_no=st.integers(0, 2**31 - 1),
    subject=TEXT,
    version=st.integers(0, 2**63 - 1),
    thing=TEXT,
    tags=st.dictionaries(TEXT, TEXT, max_size=3),
)
def test_a_fact_comes_back_as_it_was_sent(
    event_id: uuid.UUID,
    key: str,
    tenant: uuid.UUID,
    tenant_no: int,
    subject: str,
    version: int,
    thing: str,
    tags: dict[str, str],
) -> None:
    fact = ThingCreated(version=version, thing=thing, tags=tags)
    message = sent(
        event_id=event_id,
        key=key,
        tenant=str(tenant),
        tenant_no=tenant_no,
        subject=subject,
        version=version,
    )
    event = open_event(THINGS, message, msgspec.json.encode(fact))
    assert (event.id, event.key, event.tenant, event.tenant_no) == (
        event_id,
        key,
        str(tenant),
        tenant_no,
    )
    assert (event.subject, event.version, event.fact) == (subject, version, fact)
    assert event.traceparent == traceparent_of(message) == TRACE


def test_the_headers_are_cloudevents_in_binary_mode() -> None:
    found = dict(sent())
    assert found["ce_specversion"] == b"1.0"
    assert found["ce_type"] == b"probe.thing.created"
    assert found["ce_source"] == b"/maestro/probe"
    assert found["content-type"] == b"application/json"


def test_without_a_trace_there_is_no_trace_header() -> None:
    assert "traceparent" not in dict(sent(traceparent=""))
    assert traceparent_of(sent(traceparent="")) == ""


@pytest.mark.parametrize(
    "name", ["ce_id", "ce_type", "ce_subject", "ce_tenant", "ce_tenantno", "ce_sequence", "ce_time"]
)
def test_an_absent_header_is_named(name: str) -> None:
    with pytest.raises(Malformed, match=name):
        open_event(THINGS, without(name), GOOD)


def test_a_fact_of_a_newer_producer_is_told_from_a_malformed_one() -> None:
    with pytest.raises(Unheard):
        open_event(THINGS, with_value("ce_type", b"probe.thing.archived"), b"{}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", b"no-uuid"),
        ("ce_id", None),
        ("ce_tenant", b"\xff\xfe"),
        ("ce_tenantno", b"many"),
        ("ce_tenantno", b""),
        ("ce_sequence", b"9" * 5000),
        ("ce_type", b"other.thing.created"),
        ("ce_type", b"created"),
        ("ce_type", None),
    ],
)
def test_a_wrong_header_makes_a_malformed_message(name: str, value: bytes | None) -> None:
    with pytest.raises(Malformed):
        open_event(THINGS, with_value(name, value), GOOD)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"\xff",
        b'{"version":"x","thing":"a"}',
        b'{"version":3}',
        b'{"version":3,"thing":"\\ud800"}',
        b'{"version":3,"thing":"a","more":' + b"[" * 100_000,
    ],
)
def test_a_wrong_payload_makes_a_malformed_message(value: bytes | None) -> None:
    with pytest.raises(Malformed, match=r"probe\.thing\.created"):
        open_event(THINGS, sent(), value)


def test_a_field_of_a_later_version_is_passed_over() -> None:
    later = json.dumps({"version": 3, "thing": "a", "colour": {"deep": [1]}}).encode()
    assert open_event(THINGS, sent(), later).fact == ThingCreated(version=3, thing="a")


def test_a_trace_header_without_a_value_is_no_trace() -> None:
    assert open_event(THINGS, with_value("traceparent", None), GOOD).traceparent == ""
    assert traceparent_of(with_value("traceparent", None)) == ""


@given(st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "x"]), st.binary())), st.binary())
def test_any_message_is_an_event_or_malformed(message: Headers, value: bytes) -> None:
    for given_headers in (message, [*sent(), *message]):
        with contextlib.suppress(Malformed):
            assert open_event(THINGS, given_headers, value).id
