"""Capabilities of parts: only what was sealed here opens, and only for a while."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Refusal
from services.tracking.model.capabilities import LIFETIME_SECONDS, Capability, Seal

OURS = Capability(7, UUID(int=5), 3, 1_000 + LIFETIME_SECONDS)


def test_what_was_sealed_opens_until_its_end() -> None:
    now = 1_000.0
    seal = Seal("secret", clock=lambda: now)
    assert seal.until() == OURS.until
    sealed = seal.sealed(OURS)
    assert seal.opened(sealed) == OURS
    now += LIFETIME_SECONDS
    assert Seal("secret", clock=lambda: now).opened(sealed) == OURS, "of another process"
    now += 1
    with pytest.raises(Refusal, match="not any more"):
        seal.opened(sealed)


@given(st.text(max_size=200))
def test_nothing_else_opens(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        Seal("secret").opened(text)
    assert caught.value.status == 403


@given(st.integers(0, 200), st.characters(min_codepoint=33, max_codepoint=126))
def test_what_was_altered_does_not_open(at: int, letter: str) -> None:
    seal = Seal("secret", clock=lambda: 0)
    sealed = seal.sealed(OURS)
    at %= len(sealed)
    altered = sealed[:at] + letter + sealed[at + 1 :]
    if altered != sealed:
        with pytest.raises(Refusal):
            seal.opened(altered)
