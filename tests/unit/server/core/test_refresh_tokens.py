"""Refresh tokens: one follows from the other, ours are known, and nobody makes one up."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.core.refresh_tokens import TOKEN_CHARACTERS, RefreshTokens

SECRET = "correct horse battery staple, but longer than that"
SESSION = "0192f0c1-9999-7abc-8def-0123456789ab"
TOKENS = RefreshTokens(SECRET)
FIRST = TOKENS.first(SESSION, bytes(range(32)))


def test_a_token_is_read_back_with_its_session_and_its_digest() -> None:
    assert len(FIRST.text) == TOKEN_CHARACTERS
    assert TOKENS.read(FIRST.text) == FIRST
    assert FIRST.session_id == SESSION
    assert len(FIRST.digest) == 32


def test_the_next_token_is_always_the_same_by_one_salt_and_another_by_another() -> None:
    following = TOKENS.following(FIRST, b"s" * 32)
    assert following == TOKENS.following(FIRST, b"s" * 32)
    assert following.session_id == SESSION
    others = {
        TOKENS.following(FIRST, b"t" * 32).text, TOKENS.following(following, b"s" * 32).text,
        RefreshTokens(SECRET + "!").following(FIRST, b"s" * 32).text,
    }  # fmt: skip
    assert len(others | {FIRST.text, following.text}) == 5


def test_a_token_shows_neither_its_digest_nor_itself_in_a_log() -> None:
    assert FIRST.text not in repr(FIRST)


def test_a_token_of_another_secret_is_none_of_ours() -> None:
    assert RefreshTokens(SECRET + "!").read(FIRST.text) is None


def test_secrets_and_salts_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        TOKENS.first(SESSION, b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        TOKENS.following(FIRST, b"")


def test_a_second_spelling_of_a_token_is_none() -> None:
    """The last letter of 86 has four bits that mean nothing."""
    twins = [FIRST.text[:-1] + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
    assert [twin for twin in twins if TOKENS.read(twin)] == [FIRST.text]


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=64, max_size=64), st.integers(0, 511), st.text(max_size=100))
def test_what_was_not_given_out_is_never_ours(made_up: bytes, bit: int, text: str) -> None:
    raw = base64.urlsafe_b64decode(FIRST.text + "==")
    flipped = bytearray(raw)
    flipped[bit // 8] ^= 1 << bit % 8
    for data in (made_up, bytes(flipped)):
        assert TOKENS.read(base64.urlsafe_b64encode(data).rstrip(b"=").decode()) is None
    for other in (text, FIRST.text + text if text else "", FIRST.text[:-1] + "é", FIRST.text + "\n"):
        assert TOKENS.read(other) is None
