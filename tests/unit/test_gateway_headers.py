"""Headers at the gateway: no identity and no framing passes but the gateway's own."""

import pytest

from services.gateway.headers import passed_back, passed_on

PRINCIPAL = (b"x-maestro-principal", b"signed")


@pytest.mark.parametrize(
    "name",
    [
        b"x-maestro-principal",
        b"X-Maestro-Principal",
        b"x_maestro_principal",
        b"x-maestro_principal",
        b"x-maestro-anything",
        b"authorization",
        b"cookie",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-user",
        b"x-real-ip",
        b"remote-user",
        b"remote_user",
        b"x-remote-user",
        b"x-auth-request-email",
        b"x-mlflow-workspace",
        b"x-original-url",
        b"x-http-method-override",
        b"connection",
        b"expect",
        b"te",
        b"trailer",
        b"upgrade",
        b"proxy-authorization",
    ],
)
def test_identity_and_framing_are_stripped(name: bytes) -> None:
    kept = passed_on([(b"accept", b"*/*"), (name, b"forged"), (name, b"again")], b"signed")
    assert kept == [(b"accept", b"*/*"), PRINCIPAL]


def test_the_rest_passes_untouched_and_in_order() -> None:
    sent = [
        (b"host", b"x"),
        (b"content-type", b"application/json"),
        (b"content-length", b"3"),
        (b"accept-encoding", b"gzip"),
        (b"traceparent", b"00-1-2-01"),
        (b"x-request-id", b"abc"),
        (b"x-custom", b"\xff"),
        (b"x-custom", b"2"),
    ]
    assert passed_on(sent, None) == sent
    assert passed_on(sent, b"signed") == [*sent, PRINCIPAL]


def test_headers_that_connection_names_are_dropped_but_not_those_that_frame_the_body() -> None:
    sent = [
        (b"connection", b"close, X-Hop, content-length, Transfer-Encoding, host"),
        (b"x-hop", b"1"),
        (b"content-length", b"3"),
        (b"transfer-encoding", b"chunked"),
        (b"host", b"x"),
    ]
    assert passed_on(sent, None) == sent[2:]


def test_a_client_cannot_have_the_principal_dropped_by_naming_it() -> None:
    kept = passed_on([(b"connection", b"x-maestro-principal")], b"signed")
    assert kept == [PRINCIPAL]


def test_answers_lose_what_is_of_one_connection() -> None:
    kept = [
        (b"etag", b"1"),
        (b"content-length", b"3"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
    ]
    names = (b"connection", b"transfer-encoding", b"keep-alive", b"date", b"server")
    assert passed_back([*((name, b"x") for name in names), *kept]) == kept
