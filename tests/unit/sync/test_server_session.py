"""The server's half of a link, state by state."""

import pytest

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.effects import Lane
from sync.errors import CloseCode, ImpossibleTransition
from sync.limits import PAGES_IN_FLIGHT_MAX
from sync.messages import (
    Advice,
    AdviceKind,
    Applied,
    BucketDigest,
    ForkFound,
    Heartbeat,
    JournalPosition,
    Plan,
    Push,
    PushStored,
    Welcome,
)
from sync.server_session import STORE_RETRY_MS
from tests.unit.sync.builders import EPOCH, INCARNATION, journal_of
from tests.unit.sync.talk import (
    HEAD_VERSION,
    START_MS,
    Hall,
    close_code,
    frames,
    in_snapshot,
    loaded,
    only,
    outcomes_of,
    page_loaded,
    said_by_server,
    server_heartbeat,
    with_fields,
)

ENTRIES = journal_of(3)
STORED = on.BatchStored(through_seq=3, hash=ENTRIES[-1].hash, outcomes=outcomes_of(ENTRIES))


def following(*, version: int = HEAD_VERSION, head: int = HEAD_VERSION) -> Hall:
    hall = Hall(version=version)
    hall.is_greeted(head=head)
    return hall


# -- greeting


@pytest.mark.parametrize(
    ("version", "head", "cursor", "plan"),
    [
        (10, 10, on.Cursor.OURS, Plan.UP_TO_DATE),
        (9, 10, on.Cursor.OURS, Plan.RESUME),
        (10, 10, on.Cursor.FOREIGN, Plan.RECONCILE),
        (0, 10, on.Cursor.FOREIGN, Plan.RECONCILE),
        (9, 10, on.Cursor.COMPACTED, Plan.SNAPSHOT),
        (0, 10, on.Cursor.NONE, Plan.SNAPSHOT),
        (0, 10, on.Cursor.OURS, Plan.SNAPSHOT),
        (0, 0, on.Cursor.NONE, Plan.SNAPSHOT),
    ],
)
def test_the_cursor_decides_the_plan(version: int, head: int, cursor: on.Cursor, plan: Plan) -> None:
    effects = Hall(version=version).is_greeted(head=head, cursor=cursor)
    (welcome,) = said_by_server(effects)
    assert isinstance(welcome, Welcome)
    assert welcome.plan is plan
    asked: dict[Plan, tuple[do.ServerEffect, ...]] = {
        Plan.UP_TO_DATE: (),
        Plan.RESUME: (do.LoadPage(version, all_digests=True),),
        Plan.SNAPSHOT: (do.LoadSnapshot(),),
        Plan.RECONCILE: (do.LoadSnapshot(),),
    }
    assert effects[1:] == asked[plan]


def test_a_protocol_1_device_is_never_told_to_reconcile() -> None:
    (welcome,) = said_by_server(Hall(protocol=(1, 1)).is_greeted(cursor=on.Cursor.FOREIGN))
    assert isinstance(welcome, Welcome)
    assert (welcome.protocol, welcome.plan) == (1, Plan.SNAPSHOT)


def test_welcome_says_what_is_stored_and_echoes_the_devices_clock() -> None:
    (welcome,) = said_by_server(Hall().is_greeted(stored_seq=42))
    assert isinstance(welcome, Welcome)
    assert (welcome.stored_seq, welcome.head_version, welcome.epoch) == (42, HEAD_VERSION, EPOCH)
    assert (welcome.echo_monotonic_ms, welcome.server_wall_ms) == (77, 9_000)


def test_hello_asks_the_store_for_this_device() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hello = with_fields(
        hall.hello,
        older=(JournalPosition("older", 7, bytes(32)),),
        digests=(BucketDigest("reference", bytes(32)),),
    )
    asked = only(do.LoadDevice, hall.hears(hall.hello))
    told = ("incarnation", "epoch", "version", "hash", "journal_seq", "journal_hash", "older", "digests")
    assert [getattr(asked, name) for name in told] == [getattr(hall.hello, name) for name in told]


@pytest.mark.parametrize("protocol", [(3, 9), (2, 1)])
def test_a_device_without_a_common_protocol_needs_an_upgrade(protocol: tuple[int, int]) -> None:
    hall = Hall(protocol=protocol)
    hall.on(on.LinkOpened())
    assert close_code(hall.hears(hall.hello)) is CloseCode.UPGRADE_NEEDED


def test_a_device_that_speaks_more_protocols_is_welcome() -> None:
    assert said_by_server(Hall(protocol=(0, 9)).is_greeted())


def test_no_hello_within_ten_seconds_ends_the_link() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    assert hall.session.deadline_ms == START_MS + 10_000
    assert hall.at(9_999) == ()
    assert close_code(hall.at(10_000)) is CloseCode.SILENT


def test_a_second_hello_breaks_the_protocol() -> None:
    hall = following()
    assert close_code(hall.hears(hall.hello)) is CloseCode.PROTOCOL_VIOLATION


def test_a_second_hello_while_the_first_is_looked_up_breaks_the_protocol() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    assert close_code(hall.hears(hall.hello)) is CloseCode.PROTOCOL_VIOLATION


@pytest.mark.parametrize("message", [Push(ENTRIES), Applied(epoch=EPOCH, version=1), Heartbeat(version=1)])
def test_nothing_comes_before_welcome(message: Push) -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    assert close_code(hall.hears(message)) is CloseCode.PROTOCOL_VIOLATION


def test_garbage_closes_as_undecodable() -> None:
    assert close_code(following().on(on.FrameReceived(b"\xc1"))) is CloseCode.UNDECODABLE


# -- upload


def test_an_acknowledgement_is_born_from_a_stored_batch_and_from_nothing_else() -> None:
    hall = following()
    assert hall.hears(Push(ENTRIES)) == (do.StoreBatch(ENTRIES),)
    between = [
        *hall.on(on.HeadMoved(EPOCH, 11)),
        *hall.on(page_loaded(10, 11)),
        *hall.hears(Applied(epoch=EPOCH, version=11)),
        *hall.at(5_000),
    ]
    heard = [effect for effect in between if not isinstance(effect, do.SendFrame) or effect.frame[:1] != b"p"]
    assert not [message for message in said_by_server(heard) if isinstance(message, PushStored)]
    assert said_by_server(hall.on(STORED)) == [PushStored(through_seq=3, hash=STORED.hash, outcomes=STORED.outcomes)]


def test_a_second_push_under_way_breaks_the_protocol() -> None:
    hall = following()
    hall.hears(Push(ENTRIES))
    assert close_code(hall.hears(Push(ENTRIES))) is CloseCode.PROTOCOL_VIOLATION


def test_the_next_push_may_come_once_the_first_was_answered() -> None:
    hall = following()
    for _ in range(2):
        assert hall.hears(Push(ENTRIES)) == (do.StoreBatch(ENTRIES),)
        hall.on(STORED)


def test_a_push_is_taken_during_a_snapshot() -> None:
    hall, _ = in_snapshot(9)
    assert hall.hears(Push(ENTRIES)) == (do.StoreBatch(ENTRIES),)


@pytest.mark.parametrize("code", [CloseCode.REVOKED, CloseCode.JOURNAL_INVALID])
def test_a_batch_that_was_refused_closes_with_the_stores_reason(code: CloseCode) -> None:
    hall = following()
    hall.hears(Push(ENTRIES))
    assert hall.on(on.BatchRefused(code, "why")) == (do.CloseLink(code, "why"),)


def test_a_fork_is_told_and_the_link_stays_so_that_the_device_can_go_on() -> None:
    hall = following()
    hall.hears(Push(ENTRIES))
    assert said_by_server(hall.on(on.BatchRefused(CloseCode.FORK, "why"))) == [ForkFound(INCARNATION, 1)]
    assert hall.hears(Push(ENTRIES)) == (do.StoreBatch(ENTRIES),)


def test_a_fork_closes_the_link_of_a_protocol_1_device() -> None:
    hall = Hall(protocol=(1, 1))
    hall.is_greeted()
    hall.hears(Push(ENTRIES))
    assert close_code(hall.on(on.BatchRefused(CloseCode.FORK, "why"))) is CloseCode.FORK


# -- download: pages


def test_a_hint_loads_what_is_new_once() -> None:
    hall = following()
    assert hall.on(on.HeadMoved(EPOCH, 11)) == (do.LoadPage(10),)
    assert hall.on(on.HeadMoved(EPOCH, 12)) == ()
    effects = hall.on(page_loaded(10, 11))
    assert frames(effects) == [b"page 10-11"]
    assert effects[-1] == do.LoadPage(11)


@pytest.mark.parametrize("version", [0, 9, 10])
def test_a_hint_of_what_is_known_loads_nothing(version: int) -> None:
    assert following().on(on.HeadMoved(EPOCH, version)) == ()


def test_pages_in_flight_are_bounded_until_the_device_has_applied_some() -> None:
    hall = following(version=1, head=99)
    for after in range(1, PAGES_IN_FLIGHT_MAX):
        assert hall.on(page_loaded(after, after + 1, head=99))[-1] == do.LoadPage(after + 1, all_digests=True)
    full = PAGES_IN_FLIGHT_MAX
    assert len(hall.on(page_loaded(full, full + 1, head=99))) == 1
    assert hall.on(on.HeadMoved(EPOCH, 100)) == ()
    effects = hall.hears(Applied(epoch=EPOCH, version=3))
    assert effects == (do.RecordApplied(EPOCH, 3, 0), do.LoadPage(full + 1, all_digests=True))
    assert hall.on(page_loaded(full + 1, full + 2, head=99))[-1] == do.LoadPage(full + 2, all_digests=True)
    assert len(hall.on(page_loaded(full + 2, full + 3, head=99))) == 1


def test_an_empty_page_is_not_sent_and_waits_for_the_next_hint() -> None:
    hall = following()
    hall.on(on.HeadMoved(EPOCH, 11))
    assert hall.on(page_loaded(10, 10)) == ()
    assert hall.on(on.HeadMoved(EPOCH, 11)) == (do.LoadPage(10),)


@pytest.mark.parametrize("version", [11, 99])
def test_a_position_that_was_never_sent_breaks_the_protocol(version: int) -> None:
    answer = following().hears(Applied(epoch=EPOCH, version=version))
    assert close_code(answer) is CloseCode.PROTOCOL_VIOLATION


def test_a_cursor_that_falls_breaks_the_protocol() -> None:
    hall = following(version=9)
    hall.on(page_loaded(9, 10))
    hall.hears(Applied(epoch=EPOCH, version=10))
    assert close_code(hall.hears(Applied(epoch=EPOCH, version=9))) is CloseCode.PROTOCOL_VIOLATION


def test_the_same_position_twice_is_harmless() -> None:
    hall = following()
    for _ in range(2):
        assert hall.hears(Applied(epoch=EPOCH, version=10, queue_depth=3)) == (do.RecordApplied(EPOCH, 10, 3),)


def test_a_position_in_another_epoch_breaks_the_protocol() -> None:
    answer = following().hears(Applied(epoch="another", version=10))
    assert close_code(answer) is CloseCode.PROTOCOL_VIOLATION


@pytest.mark.parametrize("event", [on.HeadMoved("another", 11), page_loaded(10, 11, epoch="another")])
def test_a_new_life_of_the_log_sends_the_device_to_begin_again(event: on.ServerEvent) -> None:
    hall = following()
    if isinstance(event, on.PageLoaded):
        hall.on(on.HeadMoved(EPOCH, 11))
    assert close_code(hall.on(event)) is CloseCode.COME_BACK_LATER


def test_a_hint_that_comes_while_the_device_is_looked_up_is_not_lost() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    assert hall.on(on.HeadMoved(EPOCH, 11)) == ()
    effects = hall.on(loaded(head=10))
    (welcome,) = said_by_server(effects)
    assert isinstance(welcome, Welcome)
    assert welcome.head_version == 11
    assert effects[-1] == do.LoadPage(10)


def test_an_early_hint_of_another_life_of_the_log_is_forgotten() -> None:
    hall = Hall()
    assert hall.on(on.HeadMoved("another", 99)) == ()
    assert len(hall.is_greeted()) == 1


def test_a_heartbeat_never_moves_the_cursor() -> None:
    hall = following(version=9)
    assert hall.hears(Heartbeat(version=99, queue_depth=2)) == (do.RecordApplied(EPOCH, 9, 2),)


# -- time


def test_a_silent_device_is_noticed_within_fifteen_seconds() -> None:
    hall = following()
    for after_ms in (5_000, 10_000):
        assert said_by_server(hall.at(after_ms)) == [server_heartbeat(HEAD_VERSION, hall)]
    assert hall.session.deadline_ms == START_MS + 14_000
    assert close_code(hall.at(14_000)) is CloseCode.SILENT


def test_a_heartbeat_tells_the_head() -> None:
    hall = following()
    hall.on(on.HeadMoved(EPOCH, 12))
    assert said_by_server(hall.at(5_000)) == [server_heartbeat(12, hall)]


def test_while_a_device_is_looked_up_no_heartbeat_comes_before_welcome() -> None:
    hall = Hall()
    hall.on(on.LinkOpened())
    hall.hears(hall.hello)
    assert hall.at(5_000) == ()
    assert hall.session.deadline_ms == START_MS + 10_000


# -- failures, the end


@pytest.mark.parametrize("lane", list(Lane))
def test_a_store_that_failed_sends_the_device_away_for_a_while(lane: Lane) -> None:
    hall = following()
    hall.hears(Push(ENTRIES))
    effects = hall.on(on.StoreFailed(lane, "no database"))
    assert said_by_server(effects) == [Advice(kind=AdviceKind.COME_BACK_LATER, delay_ms=STORE_RETRY_MS)]
    assert close_code(effects) is CloseCode.STORE_UNAVAILABLE


@pytest.mark.parametrize("hall", [Hall(), following()])
def test_a_drain_is_told_before_the_link_closes(hall: Hall) -> None:
    effects = hall.on(on.DrainRequested(1_500))
    assert said_by_server(effects) == [Advice(kind=AdviceKind.COME_BACK_LATER, delay_ms=1_500)]
    assert close_code(effects) is CloseCode.GOING_AWAY


@pytest.mark.parametrize("code", [CloseCode.UNAUTHENTICATED, CloseCode.REVOKED])
def test_a_device_that_lost_its_rights_is_closed_with_the_reason(code: CloseCode) -> None:
    assert close_code(following().on(on.RightsLost(code))) is code


def test_a_closed_session_ignores_everything() -> None:
    hall = following()
    hall.hears(Push(ENTRIES))
    assert hall.on(on.LinkClosed()) == ()
    assert hall.session.is_closed
    assert hall.session.deadline_ms is None
    late: list[on.ServerEvent] = [
        STORED,
        on.LinkOpened(),
        on.FrameReceived(b"\xc1"),
        on.TimerFired(),
        on.HeadMoved("another", 1),
        on.DrainRequested(1),
        loaded(),
    ]
    assert [hall.on(event) for event in late] == [()] * len(late)


@pytest.mark.parametrize(
    "event",
    [
        on.LinkOpened(),
        loaded(),
        STORED,
        page_loaded(10, 11),
        on.SnapshotLoaded(head=Head(EPOCH, 1, b""), frames=()),
    ],
)
def test_what_the_shell_was_not_asked_for_is_a_defect(event: on.ServerEvent) -> None:
    with pytest.raises(ImpossibleTransition):
        following().on(event)


def test_a_page_after_another_version_is_a_defect() -> None:
    hall = following()
    hall.on(on.HeadMoved(EPOCH, 11))
    with pytest.raises(ImpossibleTransition):
        hall.on(page_loaded(9, 11))
