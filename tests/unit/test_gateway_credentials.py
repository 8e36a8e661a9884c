"""The credential of a request: which is taken, and what a refusal says of the others."""

import base64

import pytest

from libs.common.errors import Refusal
from services.gateway.credentials import presented


def basic(text: str | bytes) -> bytes:
    """A Basic header's value."""
    raw = text if isinstance(text, bytes) else text.encode()
    return b"Basic " + base64.b64encode(raw)


@pytest.mark.parametrize(
    ("value", "scheme", "user", "secret"),
    [
        (b"Bearer mst_abc", "Bearer", None, "mst_abc"),
        (b"bearer   mst_abc ", "Bearer", None, "mst_abc"),
        (b"Bearer whatever", "Bearer", None, "whatever"),
        (basic("anyone:mst_abc"), "Basic", None, "mst_abc"),
        (basic(":mso_abc"), "Basic", None, "mso_abc"),
        (basic("é:mst_abc"), "Basic", None, "mst_abc"),
        (basic("tenant/login:pass:word"), "Basic", "tenant/login", "pass:word"),
        (basic("tenant/é:pässword"), "Basic", "tenant/é", "pässword"),
        (basic("tenant/é:pässword".encode("latin-1")), "Basic", "tenant/é", "pässword"),
        (basic(":password"), "Basic", "", "password"),
    ],
)
def test_bearer_and_basic_are_taken_and_a_token_is_known_by_its_form(
    value: bytes, scheme: str, user: str | None, secret: str
) -> None:
    found = presented([(b"accept", b"*/*"), (b"authorization", value)])
    assert (found.scheme, found.user, found.secret) == (scheme, user, secret)
    assert secret not in repr(found)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", ["scheme ''"]),
        (b"Bearer", ["Bearer token", "empty"]),
        (b"Bearer  ", ["Bearer token", "empty"]),
        (b"Bearer \xc3\xa9", ["Bearer token"]),
        (b"Basic", ["Basic credentials", "empty"]),
        (b"Basic !!!", ["Basic credentials", "not base64", "~/.mlflow/credentials"]),
        (basic("user-without-colon"), ["Basic credentials", "empty"]),
        (basic("user:"), ["Basic credentials", "empty"]),
        (basic("user:mst_é"), ["Basic credentials"]),
        (b"Digest username=x", ["'Digest'", "Bearer", "Basic"]),
        (b"<script>alert(1)</script> x", ["'scriptalert1sc'"]),
        (b"Bearer " + b"x" * 5000, ["too long"]),
    ],
)
def test_a_refusal_says_which_scheme_came_and_what_is_wrong(value: bytes, words: list[str]) -> None:
    with pytest.raises(Refusal) as refused:
        presented([(b"authorization", value)])
    assert refused.value.status == 401
    for word in words:
        assert word in refused.value.message


def test_none_and_several_are_refused() -> None:
    for headers, word in (
        ([], "No credential"),
        ([(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")], "Several"),
    ):
        with pytest.raises(Refusal, match=word) as refused:
            presented(headers)
        assert refused.value.status == 401


def test_a_credential_is_remembered_without_itself_and_alike_by_both_schemes() -> None:
    bearer = presented([(b"authorization", b"Bearer mst_abc")])
    password = presented([(b"authorization", basic("anyone:mst_abc"))])
    assert bearer.key() == password.key()
    assert b"mst_abc" not in bearer.key()
    assert bearer.key() != presented([(b"authorization", b"Bearer mst_abd")]).key()


def test_a_password_is_remembered_with_its_user_name_and_by_one_process_alone() -> None:
    def key(text: str, pepper: bytes = b"one") -> bytes:
        return presented([(b"authorization", basic(text))]).key(pepper)

    assert key("a/bob:password") == key("a/bob:password")
    others = [key("b/bob:password"), key("a/bob:passwor"), key("a/bobp:assword")]
    assert key("a/bob:password") not in [*others, key("a/bob:password", b"two")]
