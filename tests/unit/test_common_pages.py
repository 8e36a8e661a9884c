"""Page tokens: good for the search, the workspace and the service they were given for, else refused."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Refusal
from libs.common.filters.pages import Page, Value, page_key

KEY = page_key("what the replicas of a service share")
FIRST = Page(KEY, 7, 1, "")
SEARCH: list[object] = ["runs", [1, 2], "clauses"]
sorts = st.lists(
    st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
    | st.uuids(),
    min_size=1,
    max_size=6,
)


def after(
    page: Page, kinds: list[type[Value]], search: list[object] = SEARCH
) -> list[Value] | None:
    """The sort values that a page's token holds."""
    return page.after(search, kinds)


@given(sorts)
def test_a_token_gives_back_what_was_put_in(values: list[Value]) -> None:
    token = FIRST.next(SEARCH, values)
    assert after(replace(FIRST, token=token), [type(value) for value in values]) == values


def test_without_a_token_it_is_the_first_page() -> None:
    assert after(FIRST, [int]) is None


def test_a_replica_with_the_same_secret_takes_it() -> None:
    token = FIRST.next(SEARCH, [1])
    replica = Page(page_key("what the replicas of a service share"), 7, 1, token)
    assert after(replica, [int]) == [1]


@pytest.mark.parametrize(
    "other",
    [
        replace(FIRST, tenant_no=8),
        replace(FIRST, workspace_id=2),
        replace(FIRST, key=page_key("the secret of another service")),
    ],
)
def test_a_token_of_somebody_else_is_refused(other: Page) -> None:
    with pytest.raises(Refusal, match="not given by this server for this search"):
        after(replace(other, token=FIRST.next(SEARCH, [1])), [int])


@pytest.mark.parametrize(
    "search", [["runs", [1], "clauses"], ["experiments", [1, 2], "clauses"], []]
)
def test_a_token_of_another_search_is_refused(search: list[object]) -> None:
    with pytest.raises(Refusal, match="not given by this server for this search"):
        after(replace(FIRST, token=FIRST.next(SEARCH, [1])), [int], search)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    raw = bytearray(base64.urlsafe_b64decode(FIRST.next(SEARCH, [123, "text"])))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    token = base64.urlsafe_b64encode(bytes(raw)).decode()
    with pytest.raises(Refusal, match="not given by this server"):
        after(replace(FIRST, token=token), [int, str])


@given(st.integers(1, 30))
def test_a_truncated_token_is_refused(left: int) -> None:
    token = FIRST.next(SEARCH, [123, "text"])[:left]
    with pytest.raises(Refusal, match="Invalid page token"):
        after(replace(FIRST, token=token), [int, str])


@given(st.text(min_size=1, max_size=60))
def test_a_token_of_nobody_is_refused(token: str) -> None:
    with pytest.raises(Refusal, match="Invalid page token") as refused:
        after(replace(FIRST, token=token), [int])
    assert refused.value.status == 400


@pytest.mark.parametrize("forged", [b'["",1]', b"[]", b'{"offset": 20}', b"", b"[1]"])
def test_a_token_without_our_signature_is_refused(forged: bytes) -> None:
    for content in (forged, bytes(16) + forged):
        token = base64.urlsafe_b64encode(content).decode() or "AAAA"
        with pytest.raises(Refusal, match="not given by this server"):
            after(replace(FIRST, token=token), [int])


@pytest.mark.parametrize("value", [2**64, "text", 1.5])
def test_a_value_of_another_kind_is_refused(value: Value) -> None:
    with pytest.raises(Refusal, match="not given by this server"):
        after(replace(FIRST, token=FIRST.next(SEARCH, [value])), [int])
