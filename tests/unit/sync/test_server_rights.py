"""How long a device may use a link, and when it is asked to prove itself again."""

import pytest

from sync import effects as do
from sync.errors import CloseCode, ImpossibleTransition, ProtocolViolation
from sync.limits import REAUTH_BEFORE_MS
from sync.messages import Challenge
from sync.server_rights import ServerRights

NONCE = b"n" * 32
SIGNATURE = b"s" * 64
GOOD_FOR_MS = 900_000
ASK_AT_MS = GOOD_FOR_MS - REAUTH_BEFORE_MS


def trusted(good_for_ms: int = GOOD_FOR_MS) -> ServerRights:
    rights = ServerRights()
    rights.trust_for(good_for_ms, 0)
    return rights


def asked() -> ServerRights:
    rights = trusted()
    rights.timer_fired(ASK_AT_MS, may_challenge=True)
    assert rights.challenge(NONCE) == Challenge(NONCE)
    return rights


def test_without_a_known_end_there_is_nothing_to_do() -> None:
    rights = ServerRights()
    assert rights.deadline_ms(may_challenge=True) is None
    assert rights.timer_fired(10**9, may_challenge=True) == ()


def test_a_device_is_asked_some_time_before_its_token_runs_out() -> None:
    rights = trusted()
    assert rights.deadline_ms(may_challenge=True) == ASK_AT_MS
    assert rights.timer_fired(ASK_AT_MS - 1, may_challenge=True) == ()
    assert rights.timer_fired(ASK_AT_MS, may_challenge=True) == (do.IssueChallenge(),)


def test_a_token_with_a_short_life_is_proved_anew_in_the_middle_of_it() -> None:
    assert trusted(20_000).deadline_ms(may_challenge=True) == 10_000


def test_a_device_that_cannot_answer_is_not_asked() -> None:
    rights = trusted()
    assert rights.deadline_ms(may_challenge=False) == GOOD_FOR_MS
    assert rights.timer_fired(ASK_AT_MS, may_challenge=False) == ()


def test_one_challenge_is_under_way_at_a_time() -> None:
    rights = trusted()
    rights.timer_fired(ASK_AT_MS, may_challenge=True)
    assert rights.timer_fired(ASK_AT_MS + 1, may_challenge=True) == ()
    rights.challenge(NONCE)
    assert rights.timer_fired(ASK_AT_MS + 2, may_challenge=True) == ()
    rights.answered(NONCE, SIGNATURE)
    assert rights.timer_fired(ASK_AT_MS + 3, may_challenge=True) == ()
    assert rights.deadline_ms(may_challenge=True) == GOOD_FOR_MS


def test_a_good_proof_begins_another_term() -> None:
    rights = asked()
    assert rights.answered(NONCE, SIGNATURE) == (do.CheckProof(NONCE, SIGNATURE),)
    rights.checked(GOOD_FOR_MS, ASK_AT_MS)
    assert rights.deadline_ms(may_challenge=True) == ASK_AT_MS + ASK_AT_MS


def test_a_bad_proof_ends_the_link() -> None:
    rights = asked()
    rights.answered(NONCE, SIGNATURE)
    with pytest.raises(ProtocolViolation) as raised:
        rights.checked(0, ASK_AT_MS)
    assert raised.value.code is CloseCode.UNAUTHENTICATED


def test_a_token_that_ran_out_ends_the_link_whatever_is_under_way() -> None:
    for rights in (trusted(), asked()):
        with pytest.raises(ProtocolViolation) as raised:
            rights.timer_fired(GOOD_FOR_MS, may_challenge=True)
        assert raised.value.code is CloseCode.UNAUTHENTICATED


@pytest.mark.parametrize("nonce", [b"x" * 32, NONCE[:-1]])
def test_a_proof_of_another_nonce_breaks_the_protocol(nonce: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        asked().answered(nonce, SIGNATURE)


def test_a_nonce_is_good_once() -> None:
    rights = asked()
    rights.answered(NONCE, SIGNATURE)
    with pytest.raises(ProtocolViolation):
        rights.answered(NONCE, SIGNATURE)


def test_what_was_not_asked_for_is_a_defect() -> None:
    with pytest.raises(ImpossibleTransition):
        trusted().challenge(NONCE)
    with pytest.raises(ImpossibleTransition):
        trusted().checked(GOOD_FOR_MS, 0)


def test_a_proof_that_nobody_asked_for_breaks_the_protocol() -> None:
    with pytest.raises(ProtocolViolation):
        trusted().answered(NONCE, SIGNATURE)
