"""The errors of the core: whose fault it is, and with which code the link is closed."""

import pytest

from sync.errors import (
    NEEDS_A_PERSON,
    CloseCode,
    ImpossibleTransition,
    ProtocolViolation,
    SyncError,
    UndecodableMessage,
    demand,
    require,
)


def test_what_the_peer_breaks_closes_the_link_with_its_code() -> None:
    with pytest.raises(ProtocolViolation, match="order") as raised:
        demand(holds=False, what="order")
    assert raised.value.code is CloseCode.PROTOCOL_VIOLATION
    assert UndecodableMessage("x").code is CloseCode.UNDECODABLE
    assert UndecodableMessage("x", CloseCode.TOO_BIG).code is CloseCode.TOO_BIG


def test_what_we_break_ourselves_is_no_violation_of_the_peer() -> None:
    with pytest.raises(ImpossibleTransition, match="order") as raised:
        require(holds=False, what="order")
    assert isinstance(raised.value, SyncError)
    assert not isinstance(raised.value, ProtocolViolation)


def test_what_holds_is_not_spoken_of() -> None:
    demand(holds=True, what="order")
    require(holds=True, what="order")


def test_a_revoked_device_dials_again_to_hand_over_what_it_holds() -> None:
    assert CloseCode.REVOKED not in NEEDS_A_PERSON
    assert {CloseCode.FORK, CloseCode.UPGRADE_NEEDED, CloseCode.JOURNAL_INVALID} == NEEDS_A_PERSON
