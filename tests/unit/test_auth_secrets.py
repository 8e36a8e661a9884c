"""The form of a token: recognisable, random, and proof against typing errors."""

import re
import zlib

from hypothesis import given
from hypothesis import strategies as st

from services.auth.model.secrets import PREFIX, checksum, digest, is_well_formed, new_secret

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def test_a_secret_has_a_visible_prefix_and_over_160_random_bits() -> None:
    secrets = {new_secret() for _ in range(1000)}
    assert len(secrets) == 1000
    assert all(re.fullmatch(r"mst_[0-9A-Za-z]{36}", secret) for secret in secrets)
    assert len(ALPHABET) ** 30 > 2**160
    # Every place of the random part takes many values: none is a constant or a counter.
    for place in range(len(PREFIX), len(PREFIX) + 30):
        assert len({secret[place] for secret in secrets}) > 50


def test_the_checksum_is_the_crc32_in_base62() -> None:
    body = PREFIX + "0" * 30
    number = 0
    for digit in checksum(body):
        number = number * 62 + ALPHABET.index(digit)
    assert number == zlib.crc32(body.encode())
    assert is_well_formed(body + checksum(body))


@given(place=st.integers(0, 39), letter=st.sampled_from(ALPHABET + "_-\n é"))
def test_one_wrong_letter_is_always_noticed(place: int, letter: str) -> None:
    secret = new_secret()
    wrong = secret[:place] + letter + secret[place + 1 :]
    assert is_well_formed(wrong) == (wrong == secret)


@given(st.text())
def test_other_texts_are_no_secrets(text: str) -> None:
    assert not is_well_formed(text)
    assert not is_well_formed(new_secret() + text[:1] if text else "")


def test_what_is_stored_does_not_show_the_secret() -> None:
    secret = new_secret()
    assert len(digest(secret)) == 32
    assert secret[4:].encode() not in digest(secret)
    assert digest(secret) != digest(new_secret())
