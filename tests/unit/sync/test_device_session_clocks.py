"""The kiosk's half of a link: clocks, proofs, advice, and what has no place in a session."""

import pytest

from sync import effects as do
from sync import events as on
from sync.device_session import State
from sync.errors import CloseCode, ImpossibleTransition
from sync.limits import CLOCK_NOTE_INTERVAL_MS, LEASE_MS
from sync.messages import Advice, AdviceKind, Challenge, Heartbeat, Plan, Proof
from tests.unit.sync.builders import EPOCH, INCARNATION, journal_of
from tests.unit.sync.talk import (
    HEAD_VERSION,
    START_MS,
    Desk,
    close_code,
    only,
    page,
    recorded,
    said_by_device,
    stored,
    welcome,
    with_fields,
)


def test_an_echo_in_a_heartbeat_is_a_sample_of_the_clocks() -> None:
    desk = Desk()
    desk.greets()
    desk.hears(with_fields(welcome(), lease_ms=77))
    desk.now_ms = START_MS + 1_000
    desk.on(on.ClockNoted(9_000))
    desk.now_ms = START_MS + 3_000
    beat = Heartbeat(version=HEAD_VERSION, wall_ms=50_000, echo_monotonic_ms=START_MS + 2_000, held_ms=600)
    sample = only(do.NoteClock, desk.hears(beat))
    assert sample == do.NoteClock(sent_wall_ms=10_600, round_trip_ms=400, server_wall_ms=50_000, lease_ms=77)


def test_an_echo_that_was_held_a_rounding_too_long_took_no_time() -> None:
    desk = Desk()
    desk.is_welcomed()
    desk.now_ms += CLOCK_NOTE_INTERVAL_MS
    beat = Heartbeat(version=HEAD_VERSION, wall_ms=1, echo_monotonic_ms=desk.now_ms, held_ms=1)
    assert only(do.NoteClock, desk.hears(beat)).round_trip_ms == 0


@pytest.mark.parametrize(("lease_ms", "every_ms"), [(LEASE_MS, CLOCK_NOTE_INTERVAL_MS), (0, 60_000), (8_000, 2_000)])
def test_clocks_are_noted_once_a_minute_and_four_times_in_a_short_lease(lease_ms: int, every_ms: int) -> None:
    desk = Desk()
    desk.greets()
    desk.hears(with_fields(welcome(), lease_ms=lease_ms))
    welcomed_ms = desk.now_ms
    noted_ms = []
    while desk.now_ms < welcomed_ms + 3 * every_ms:
        desk.now_ms += 1_000
        beat = Heartbeat(version=HEAD_VERSION, wall_ms=1, echo_monotonic_ms=desk.now_ms - 1)
        if any(isinstance(effect, do.NoteClock) for effect in desk.hears(beat)):
            noted_ms.append(desk.now_ms - welcomed_ms)
    assert noted_ms == [every_ms, 2 * every_ms, 3 * every_ms]


def test_a_challenge_is_signed_and_answered() -> None:
    desk = Desk()
    desk.is_welcomed()
    nonce, signature = b"n" * 32, b"s" * 64
    assert desk.hears(Challenge(nonce)) == (do.SignChallenge(nonce),)
    assert said_by_device(desk.on(on.ChallengeSigned(nonce, signature))) == [Proof(nonce, signature)]


def test_a_store_that_wakes_the_upload_by_itself_is_heard_when_the_time_comes() -> None:
    desk = Desk(journal_seq=1, settled_seq=0)
    desk.greets()
    desk.hears(welcome())
    desk.on(on.EntriesRead(journal_of(1)))
    desk.hears(Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=3_000))
    desk.on(recorded(2))
    desk.hears(stored(journal_of(1)))
    assert [type(one) for one in desk.on(on.OutcomesStored(1, queue_depth=1))] == [do.NotePhase]
    assert desk.session.deadline_ms == START_MS + 3_000
    assert desk.at(3_000) == (do.ReadEntries(INCARNATION, 1, 64),)


def test_data_for_a_revoked_device_breaks_the_protocol() -> None:
    desk = Desk()
    desk.is_welcomed(Plan.UPLOAD_ONLY)
    assert close_code(desk.hears(page(10, 11))) is CloseCode.PROTOCOL_VIOLATION


def test_an_event_of_the_other_half_is_a_defect() -> None:
    desk = Desk()
    desk.is_welcomed()
    with pytest.raises(ImpossibleTransition):
        desk.on(on.HeadMoved(EPOCH, 1))  # type: ignore[arg-type]


def test_a_session_is_new_at_first_and_closed_at_last() -> None:
    assert Desk().session.state is State.NEW
    desk = Desk()
    desk.on(on.LinkClosed())
    assert desk.session.state is State.CLOSED
