"""The server's half of a link: devices that are too old, revoked, in a hurry, or to be proved anew."""

import pytest

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.errors import CloseCode, ImpossibleTransition
from sync.journal import EntryOutcome, Outcome, ParkReason
from sync.messages import (
    Advice,
    AdviceKind,
    Challenge,
    Heartbeat,
    Plan,
    Proof,
    Push,
    PushStored,
    RepairRequest,
    Welcome,
)
from sync.server_session import ServerSession, State
from tests.unit.sync.builders import EPOCH, journal_of
from tests.unit.sync.talk import (
    HEAD_VERSION,
    START_MS,
    Hall,
    close_code,
    frames,
    loaded,
    outcomes_of,
    page_loaded,
    said_by_server,
    server_heartbeat,
    with_fields,
)

ENTRIES = journal_of(3)


def following() -> Hall:
    hall = Hall()
    hall.is_greeted()
    return hall


# -- too old, revoked, overloaded


def too_old(*, queue_depth: int, journal_seq: int = 3) -> Hall:
    hall = Hall(protocol=(1, 1))
    hall.session = ServerSession(now_ms=START_MS, protocol_min=2)
    hall.hello = with_fields(hall.hello, queue_depth=queue_depth, journal_seq=journal_seq)
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    return hall


def test_a_device_that_is_too_old_may_empty_its_outbox_before_it_is_told_to_upgrade() -> None:
    hall = too_old(queue_depth=3)
    (welcome,) = said_by_server(hall.on(loaded()))
    assert isinstance(welcome, Welcome)
    assert (welcome.protocol, welcome.plan, welcome.epoch) == (1, Plan.UP_TO_DATE, EPOCH)
    assert (welcome.head_version, welcome.lease_ms) == (HEAD_VERSION, 0)
    assert hall.session.state is State.UPLOAD_ONLY
    hall.hears(Push(ENTRIES[:2]))
    first = on.BatchStored(through_seq=2, hash=ENTRIES[1].hash, outcomes=outcomes_of(ENTRIES[:2]))
    assert len(said_by_server(hall.on(first))) == 1
    hall.hears(Push(ENTRIES[2:]))
    last = on.BatchStored(through_seq=3, hash=ENTRIES[2].hash, outcomes=outcomes_of(ENTRIES[2:]))
    effects = hall.on(last)
    assert isinstance(said_by_server(effects)[0], PushStored)
    assert close_code(effects) is CloseCode.UPGRADE_NEEDED


def test_a_device_that_is_too_old_and_has_nothing_to_tell_is_told_to_upgrade_at_once() -> None:
    assert close_code(too_old(queue_depth=0).on(loaded())) is CloseCode.UPGRADE_NEEDED


def test_a_revoked_device_is_welcome_to_hand_over_its_journal_and_is_told_nothing_of_the_centre() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    (welcome,) = said_by_server(hall.on(with_fields(loaded(), is_entitled=False, lease_ms=9, differing=("reference",))))
    assert isinstance(welcome, Welcome)
    assert welcome.plan is Plan.UPLOAD_ONLY
    assert (welcome.epoch, welcome.head_version, welcome.lease_ms, welcome.differing) == ("", 0, 0, ())
    hall.on(on.HeadMoved(EPOCH, HEAD_VERSION + 1))
    assert said_by_server(hall.at(5_000)) == [server_heartbeat(0, hall)]


def test_a_right_that_is_lost_while_the_device_is_read_counts_whatever_was_read() -> None:
    for is_entitled in (True, False):
        hall = Hall()
        hall.on(on.LinkOpened())
        hall.hears(hall.hello)
        assert hall.on(on.RightsLost(CloseCode.REVOKED)) == ()
        effects = hall.on(with_fields(loaded(), is_entitled=is_entitled))
        if is_entitled:  # it was read before
            assert close_code(effects) is CloseCode.REVOKED
        else:
            (welcome,) = said_by_server(effects)
            assert isinstance(welcome, Welcome)
            assert welcome.plan is Plan.UPLOAD_ONLY


def test_a_revoked_device_of_protocol_1_is_sent_away() -> None:
    hall = Hall(protocol=(1, 1))
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    assert close_code(hall.on(with_fields(loaded(), is_entitled=False))) is CloseCode.REVOKED


def test_an_overloaded_store_asks_the_device_to_slow_down() -> None:
    asked = Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=400)
    assert said_by_server(following().on(on.Overloaded(400))) == [asked]


def test_a_reason_that_protocol_1_has_no_number_for_is_told_as_the_nearest_one() -> None:
    late = EntryOutcome(3, ENTRIES[2].event_id, Outcome.PARKED, ParkReason.LEASE_EXPIRED)
    told = on.BatchStored(through_seq=3, hash=ENTRIES[-1].hash, outcomes=(late,))
    for protocol, reason in ((1, ParkReason.DEVICE_NOT_ENTITLED), (2, ParkReason.LEASE_EXPIRED)):
        hall = Hall(protocol=(1, protocol))
        hall.is_greeted()
        hall.hears(Push(ENTRIES[2:]))
        (answer,) = said_by_server(hall.on(told))
        assert isinstance(answer, PushStored)
        assert answer.outcomes[0].reason is reason


# -- clocks and rights


def test_a_heartbeat_echoes_the_devices_clock_and_says_how_long_it_was_held() -> None:
    hall = following()
    hall.now_ms = START_MS + 2_000
    hall.hears(Heartbeat(version=HEAD_VERSION, monotonic_ms=77))
    (beat,) = said_by_server(hall.at(5_000))
    assert isinstance(beat, Heartbeat)
    assert (beat.echo_monotonic_ms, beat.held_ms, beat.wall_ms) == (77, 3_000, 14_000)


def test_a_link_that_is_proved_anew_outlives_its_token() -> None:
    hall = Hall()
    hall.on(on.LinkOpened(8_000))
    hall.hears(hall.hello)
    hall.on(loaded())
    assert hall.session.deadline_ms == START_MS + 4_000
    assert hall.at(4_000) == (do.IssueChallenge(),)
    nonce, signature = b"n" * 32, b"s" * 64
    assert said_by_server(hall.on(on.ChallengeIssued(nonce))) == [Challenge(nonce)]
    assert hall.hears(Proof(nonce, signature)) == (do.CheckProof(nonce, signature),)
    assert hall.on(on.ProofChecked(60_000)) == ()
    hall.at(9_000)
    assert not hall.session.is_closed


def test_a_device_of_protocol_1_is_not_challenged_and_leaves_with_its_token() -> None:
    hall = Hall(protocol=(1, 1))
    hall.on(on.LinkOpened(4_000))
    hall.hears(hall.hello)
    hall.on(loaded())
    assert hall.session.deadline_ms == START_MS + 4_000
    assert close_code(hall.at(4_000)) is CloseCode.UNAUTHENTICATED


def test_an_early_hint_of_another_life_says_nothing_of_this_one() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    hall.on(on.HeadMoved("another", 99))
    (welcome,) = said_by_server(hall.on(loaded()))
    assert isinstance(welcome, Welcome)
    assert welcome.head_version == HEAD_VERSION


def test_a_repair_is_passed_to_the_download() -> None:
    hall = following()
    assert hall.hears(RepairRequest("reference")) == (do.LoadBucket("reference"),)
    head = Head(EPOCH, HEAD_VERSION, bytes(32))
    assert frames(hall.on(on.BucketLoaded(head=head, frames=(b"bucket",)))) == [b"bucket"]


def test_an_event_of_the_other_half_is_a_defect() -> None:
    hall = following()
    with pytest.raises(ImpossibleTransition):
        hall.on(on.ClockNoted(1))  # type: ignore[arg-type]
    hall.on(on.LinkClosed())
    assert hall.session.state is State.CLOSED


def test_what_was_not_asked_for_is_a_defect() -> None:
    for event in (loaded(), on.BatchRefused(CloseCode.FORK, "")):
        with pytest.raises(ImpossibleTransition):
            following().on(event)
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    hall.on(with_fields(loaded(), is_entitled=False))
    with pytest.raises(ImpossibleTransition):
        hall.on(page_loaded(10, 11))


def test_another_life_of_the_log_matters_only_to_those_who_follow_it() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    hall.on(with_fields(loaded(), is_entitled=False))
    assert hall.on(on.HeadMoved("another", 1)) == ()
    assert close_code(following().on(on.HeadMoved("another", 1))) is CloseCode.COME_BACK_LATER
