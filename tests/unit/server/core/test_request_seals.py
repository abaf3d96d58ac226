"""What is kept of a request with a key: found by a repeat of it, and opened by nothing else."""

import pytest
from cryptography.exceptions import InvalidTag

from server.core.request_seals import Answer, RequestSeals

ANSWER = Answer(201, (("content-type", "application/json"),), b'{"code":"ABCD"}')
SCOPE = ("user", "POST /x", "MANAGER north")
SEALS = RequestSeals("s" * 40, lambda size: b"\x07" * size)


def test_an_answer_is_opened_by_a_repeat_of_its_request_only() -> None:
    sealed = SEALS.of(SCOPE, "key-1", (b"/x?", b"{}"))
    data = SEALS.seal(sealed, ANSWER)
    assert b"ABCD" not in data
    assert SEALS.open(SEALS.of(SCOPE, "key-1", (b"/x?", b"{}")), data) == ANSWER
    others = (
        SEALS.of(SCOPE, "key-2", (b"/x?", b"{}")),
        SEALS.of(("user", "POST /x"), "key-1", (b"/x?", b"{}")),
        SEALS.of(SCOPE, "key-1", (b"/x?", b'{"a":1}')),
        RequestSeals("t" * 40, bytes).of(SCOPE, "key-1", (b"/x?", b"{}")),
    )
    for other in others:
        with pytest.raises(InvalidTag):
            SEALS.open(other, data)


def test_a_key_is_found_by_its_scope_and_tells_other_bodies_apart() -> None:
    one, other = (SEALS.of(SCOPE, "key-1", (b"/x?", body)) for body in (b"{}", b"[]"))
    assert one.key_digest == other.key_digest
    assert one.request_digest != other.request_digest
    # Where one part ends and the next begins counts.
    shifted = [SEALS.of(scope, "c", (b"",)) for scope in (("a", "b"), ("ab",), ("", "ab"), ("a\0b",))]
    assert len({each.key_digest for each in shifted}) == 4
    sent = [SEALS.of(SCOPE, "k", parts) for parts in ((b"a", b"b"), (b"ab", b""), (b"a\0b",))]
    assert len({each.request_digest for each in sent}) == 3
