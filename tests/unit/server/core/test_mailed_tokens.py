"""Tokens in mails: made of ids, put in at the last moment, good for one purpose."""

import pytest

from server.core.mailed_tokens import TOKEN_CHARACTERS, MailedTokens, TokenKind, mark

SECRET = "correct horse battery staple, but longer than that"
ROW = "0192f0c1-9999-7abc-8def-0123456789ab"
TOKENS = MailedTokens(SECRET)
RECOVERY, INVITATION = TokenKind.RECOVERY, TokenKind.INVITATION


@pytest.mark.parametrize("kind", list(TokenKind))
def test_a_token_names_its_row_and_is_good_for_one_purpose(kind: TokenKind) -> None:
    token = TOKENS.token(kind, ROW)
    other = INVITATION if kind is RECOVERY else RECOVERY
    assert len(token) == TOKEN_CHARACTERS
    assert TOKENS.row_of(kind, token) == ROW
    assert TOKENS.row_of(other, token) is None
    assert MailedTokens(SECRET + "!").row_of(kind, token) is None


def test_no_other_text_is_a_token() -> None:
    token = TOKENS.token(RECOVERY, ROW)
    for place in range(len(token)):
        letter = "B" if token[place] == "A" else "A"
        assert TOKENS.row_of(RECOVERY, token[:place] + letter + token[place + 1 :]) is None
    for other in ("", token[:-1], token + "A", token + "\n", "=" * 64, "é" * 64, "\ud800" * 64):
        assert TOKENS.row_of(RECOVERY, other) is None


def test_a_mark_becomes_the_token_and_the_rest_of_a_body_stays() -> None:
    body = f"Open {mark(RECOVERY, ROW)} or {mark(INVITATION, ROW)}.\n[[recovery:1]] [[other:{ROW}]]\n"
    filled = TOKENS.fill(body)
    assert TOKENS.token(RECOVERY, ROW) not in body
    assert filled == (
        f"Open {TOKENS.token(RECOVERY, ROW)} or {TOKENS.token(INVITATION, ROW)}.\n[[recovery:1]] [[other:{ROW}]]\n"
    )
