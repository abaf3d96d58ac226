"""The kiosk's half of a link, state by state."""

import pytest

from sync import effects as do
from sync import events as on
from sync.change_log import Head
from sync.device_session import State
from sync.effects import Lane
from sync.errors import CloseCode, ImpossibleTransition
from sync.limits import PAGES_IN_FLIGHT_MAX
from sync.messages import Advice, AdviceKind, Applied, Heartbeat, Hello, Plan, SnapshotPart
from tests.unit.sync.builders import EPOCH, INCARNATION, journal_of
from tests.unit.sync.talk import (
    HEAD_VERSION,
    START_MS,
    Desk,
    close_code,
    only,
    page,
    part,
    pushing,
    recorded,
    said_by_device,
    stored,
    welcome,
    with_fields,
)

ENTRIES = journal_of(5)


# -- greeting


def test_hello_tells_where_replica_and_journal_stand() -> None:
    hello = Desk(journal_seq=5, settled_seq=0).greets()
    assert isinstance(hello, Hello)
    assert (hello.protocol_min, hello.protocol_max, hello.schema_version) == (1, 2, 3)
    assert (hello.epoch, hello.version, hello.journal_seq, hello.queue_depth) == (EPOCH, HEAD_VERSION, 5, 5)
    assert (hello.wall_ms, hello.monotonic_ms) == (5_000, START_MS)


def test_welcome_says_what_the_round_trip_took_and_how_the_link_stands() -> None:
    desk = Desk()
    desk.greets()
    desk.now_ms += 120
    effects = desk.hears(welcome())
    assert only(do.NoteClock, effects) == do.NoteClock(5_000, 120, 9_000)
    assert only(do.NotePhase, effects) == do.NotePhase(is_current=True, head_version=HEAD_VERSION)
    assert desk.session.state is State.FOLLOWING


def test_a_desk_behind_the_head_is_not_current() -> None:
    effects = Desk().is_welcomed(Plan.RESUME, head=HEAD_VERSION + 1)
    assert not only(do.NotePhase, effects).is_current


def test_no_welcome_within_ten_seconds_is_a_stalled_link() -> None:
    desk = Desk()
    desk.greets()
    assert desk.at(9_999)[-1:] == ()
    assert close_code(desk.at(10_000)) is CloseCode.STALLED


def test_a_second_welcome_breaks_the_protocol() -> None:
    desk = Desk()
    desk.is_welcomed()
    assert close_code(desk.hears(welcome())) is CloseCode.PROTOCOL_VIOLATION


def test_a_protocol_that_was_not_offered_breaks_the_protocol() -> None:
    desk = Desk()
    desk.greets()
    assert close_code(desk.hears(with_fields(welcome(), protocol=3))) is CloseCode.PROTOCOL_VIOLATION


@pytest.mark.parametrize("message", [Heartbeat(version=1), page(10, 11), part(1, 1), stored(ENTRIES)])
def test_nothing_but_advice_comes_before_welcome(message: Heartbeat) -> None:
    desk = Desk()
    desk.greets()
    assert close_code(desk.hears(message)) is CloseCode.PROTOCOL_VIOLATION


def test_an_entry_recorded_during_the_greeting_is_no_fork_and_is_sent() -> None:
    desk = Desk(journal_seq=4)
    desk.greets()
    desk.on(recorded(5))
    effects = desk.hears(welcome(stored_seq=4))
    assert only(do.ReadEntries, effects).after_seq == 4


def test_of_entries_recorded_during_the_greeting_the_last_counts_in_whatever_order_they_are_told() -> None:
    desk = Desk(journal_seq=4)
    desk.greets()
    desk.on(recorded(6))
    desk.on(recorded(5))
    desk.hears(welcome(stored_seq=4))
    entries = journal_of(6)
    desk.on(on.EntriesRead(entries[4:5]))
    desk.hears(stored(entries[4:5]))
    assert only(do.ReadEntries, desk.on(on.OutcomesStored(5, queue_depth=1))).after_seq == 5


def test_garbage_closes_as_undecodable() -> None:
    desk = Desk()
    desk.is_welcomed()
    assert close_code(desk.on(on.FrameReceived(b"\xc1"))) is CloseCode.UNDECODABLE


# -- download: pages


def test_pages_are_stored_one_after_the_other_and_reported() -> None:
    desk = Desk()
    desk.is_welcomed(Plan.RESUME, head=12)
    first, second = page(10, 11, head=12), page(11, 12)
    assert desk.hears(first) == (do.StorePage(first),)
    assert desk.hears(second) == ()
    effects = desk.on(on.PageStored(Head(EPOCH, 11, bytes(32))))
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=11)]
    assert not only(do.NotePhase, effects).is_current
    assert only(do.StorePage, effects) == do.StorePage(second)
    effects = desk.on(on.PageStored(Head(EPOCH, 12, bytes(32))))
    assert only(do.NotePhase, effects).is_current


def test_a_heartbeat_with_a_newer_head_means_not_current() -> None:
    desk = Desk()
    desk.is_welcomed()
    effects = desk.hears(Heartbeat(version=HEAD_VERSION + 1))
    assert only(do.NotePhase, effects) == do.NotePhase(is_current=False, head_version=HEAD_VERSION + 1)


def hears_the_server_for(desk: Desk, last_ms: int, head: int) -> None:
    for after_ms in range(5_000, last_ms + 1, 5_000):
        desk.now_ms = START_MS + after_ms
        desk.hears(Heartbeat(version=head))
        desk.at(after_ms)


def test_a_head_that_is_ahead_without_a_page_for_thirty_seconds_stalls_the_link() -> None:
    desk = Desk()
    desk.is_welcomed(Plan.RESUME, head=HEAD_VERSION + 1)
    hears_the_server_for(desk, 25_000, HEAD_VERSION + 1)
    assert not desk.session.is_closed
    assert close_code(desk.at(30_000)) is CloseCode.STALLED


def test_a_head_that_moves_after_a_long_quiet_time_gives_the_page_its_thirty_seconds() -> None:
    desk = Desk()
    desk.is_welcomed()
    hears_the_server_for(desk, 60_000, HEAD_VERSION)
    desk.hears(Heartbeat(version=HEAD_VERSION + 1))
    desk.at(65_000)
    assert not desk.session.is_closed
    assert only(do.StorePage, desk.hears(page(10, 11))) == do.StorePage(page(10, 11))


def test_more_in_flight_than_agreed_breaks_the_protocol() -> None:
    desk = Desk()
    desk.is_welcomed(Plan.RESUME, head=99)
    for after in range(10, 10 + PAGES_IN_FLIGHT_MAX):
        desk.hears(page(after, after + 1))
        assert not desk.session.is_closed
    assert close_code(desk.hears(page(14, 15))) is CloseCode.PROTOCOL_VIOLATION


def test_a_part_of_a_snapshot_that_nobody_planned_breaks_the_protocol() -> None:
    desk = Desk()
    desk.is_welcomed(Plan.RESUME)
    assert close_code(desk.hears(part(1, 2))) is CloseCode.PROTOCOL_VIOLATION


def test_a_page_in_the_middle_of_a_snapshot_breaks_the_protocol() -> None:
    desk = Desk()
    desk.is_welcomed(Plan.SNAPSHOT)
    assert close_code(desk.hears(page(10, 11))) is CloseCode.PROTOCOL_VIOLATION


def test_downloads_do_not_wait_for_uploads_nor_uploads_for_downloads() -> None:
    desk = pushing()
    assert desk.hears(page(10, 11)) == (do.StorePage(page(10, 11)),)
    assert desk.hears(stored(ENTRIES)) == (do.StoreOutcomes(INCARNATION, stored(ENTRIES)),)


# -- download: a snapshot


def test_a_snapshot_is_stored_part_by_part_and_ends_at_its_position() -> None:
    desk = Desk(version=7)
    desk.is_welcomed(Plan.SNAPSHOT)
    parts = [part(number, 3) for number in (1, 2, 3)]
    assert desk.hears(parts[0]) == (do.StoreSnapshotPart(parts[0], Plan.SNAPSHOT),)
    desk.hears(parts[1])
    effects = desk.on(on.SnapshotPartStored(1))
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=0, snapshot_part=1)]
    assert only(do.StoreSnapshotPart, effects) == do.StoreSnapshotPart(parts[1], Plan.SNAPSHOT)
    desk.hears(parts[2])
    desk.on(on.SnapshotPartStored(2))
    effects = desk.on(on.SnapshotPartStored(3))
    assert said_by_device(effects) == [Applied(epoch=EPOCH, version=HEAD_VERSION)]
    assert only(do.NotePhase, effects).is_current
    assert desk.session.state is State.FOLLOWING


@pytest.mark.parametrize(
    "parts",
    [
        [part(2, 3)],
        [part(3, 3)],
        [part(0, 3)],
        [part(1, 0)],
        [part(1, 3), part(3, 3)],
        [part(1, 3), part(1, 3)],
        [part(1, 3), part(2, 2)],
        [part(1, 3), part(2, 3, version=HEAD_VERSION + 1)],
    ],
)
def test_parts_out_of_order_or_of_two_snapshots_break_the_protocol(parts: list[SnapshotPart]) -> None:
    desk = Desk(version=0)
    desk.is_welcomed(Plan.SNAPSHOT)
    effects = [desk.hears(each) for each in parts]
    assert close_code(effects[-1]) is CloseCode.PROTOCOL_VIOLATION


def test_the_desk_is_told_how_far_the_snapshot_is() -> None:
    desk = Desk(version=0)
    desk.is_welcomed(Plan.SNAPSHOT)
    desk.hears(part(1, 3))
    phase = only(do.NotePhase, desk.on(on.SnapshotPartStored(1)))
    assert (phase.is_current, phase.snapshot_part, phase.snapshot_parts) == (False, 1, 3)


def test_uploads_go_on_during_a_snapshot() -> None:
    effects = Desk(journal_seq=5, settled_seq=0, version=0).is_welcomed(Plan.SNAPSHOT)
    assert only(do.ReadEntries, effects).after_seq == 0


def test_a_snapshot_that_does_not_go_on_for_thirty_seconds_stalls_the_link() -> None:
    desk = Desk(version=0)
    desk.is_welcomed(Plan.SNAPSHOT)
    for after_ms in (10_000, 20_000, 29_000):
        desk.now_ms = START_MS + after_ms
        desk.hears(Heartbeat(version=1))
        desk.at(after_ms)
    assert close_code(desk.at(30_000)) is CloseCode.STALLED


# -- time


def test_a_silent_server_is_noticed_within_fifteen_seconds() -> None:
    desk = Desk()
    desk.is_welcomed()
    for after_ms in (5_000, 10_000):
        sample = Heartbeat(version=HEAD_VERSION, monotonic_ms=START_MS + after_ms, wall_ms=5_000 + after_ms)
        assert said_by_device(desk.at(after_ms)) == [sample]
    assert desk.session.deadline_ms == START_MS + 14_000
    assert close_code(desk.at(14_000)) is CloseCode.SILENT


def test_a_timer_that_fires_early_does_nothing() -> None:
    desk = Desk()
    desk.is_welcomed()
    assert desk.at(4_999) == ()


def test_the_deadline_always_lies_ahead_of_a_timer_that_was_handled() -> None:
    for desk in (Desk(), Desk(version=0), pushing()):
        while not desk.session.is_closed:
            deadline_ms = desk.session.deadline_ms
            assert deadline_ms is not None
            desk.at(deadline_ms - START_MS)
            assert desk.session.deadline_ms is None or desk.session.deadline_ms > deadline_ms
        assert desk.now_ms - START_MS <= 15_000


# -- advice, failures, the end


def test_advice_to_come_back_later_is_kept_even_before_welcome() -> None:
    desk = Desk()
    desk.greets()
    assert desk.hears(Advice(kind=AdviceKind.COME_BACK_LATER, delay_ms=7)) == (do.KeepAdvice(7),)
    assert not desk.session.is_closed


@pytest.mark.parametrize("lane", list(Lane))
def test_a_store_that_failed_ends_the_link(lane: Lane) -> None:
    desk = pushing()
    assert close_code(desk.on(on.StoreFailed(lane, "disk full"))) is CloseCode.STORE_UNAVAILABLE


def test_a_closed_session_ignores_everything() -> None:
    desk = pushing()
    assert desk.on(on.LinkClosed()) == ()
    assert desk.session.is_closed
    assert desk.session.deadline_ms is None
    late: list[on.DeviceEvent] = [
        on.LinkOpened(),
        on.TimerFired(),
        on.FrameReceived(b"\xc1"),
        on.EntriesRead(ENTRIES),
        on.OutcomesStored(5, queue_depth=0),
        on.PageStored(Head(EPOCH, 1, b"")),
        on.StoreFailed(Lane.UPLOAD, ""),
    ]
    assert [desk.on(event) for event in late] == [()] * len(late)


@pytest.mark.parametrize(
    "event",
    [
        on.LinkOpened(),
        Desk().progress,
        on.EntriesRead(ENTRIES),
        on.OutcomesStored(5, queue_depth=0),
        on.PageStored(Head(EPOCH, 11, b"")),
        on.SnapshotPartStored(1),
    ],
)
def test_what_the_shell_was_not_asked_for_is_a_defect(event: on.DeviceEvent) -> None:
    desk = Desk()
    desk.is_welcomed()
    with pytest.raises(ImpossibleTransition):
        desk.on(event)


def test_a_desk_that_reconciles_takes_its_outcomes_back_before_it_replaces_its_replica() -> None:
    desk = Desk(journal_seq=5)
    effects = desk.is_welcomed(Plan.RECONCILE, stored_seq=5)
    assert only(do.ReopenEntries, effects) == do.ReopenEntries(INCARNATION, 0)
    assert desk.hears(part(1, 1)) == ()
    effects = desk.on(on.EntriesReopened(INCARNATION, 0, queue_depth=5))
    assert only(do.StoreSnapshotPart, effects) == do.StoreSnapshotPart(part(1, 1), Plan.RECONCILE)
    assert only(do.ReadEntries, effects).after_seq == 0
