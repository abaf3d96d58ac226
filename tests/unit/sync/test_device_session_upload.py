"""The kiosk's half of a link: how its journal is offered, answered and offered again."""

import pytest

from sync import effects as do
from sync import events as on
from sync.errors import CloseCode
from sync.journal import Entry, EntryOutcome, Outcome
from sync.messages import Advice, AdviceKind, Heartbeat, Push, PushStored
from sync.push_size import FIRST_PUSH_ENTRIES
from tests.unit.sync.builders import INCARNATION, journal_of, uuid_of
from tests.unit.sync.talk import (
    HEAD_VERSION,
    START_MS,
    Desk,
    close_code,
    only,
    outcomes_of,
    pushing,
    recorded,
    said_by_device,
    stored,
    with_fields,
)

ENTRIES = journal_of(5)


def test_the_journal_is_offered_from_where_the_server_stands() -> None:
    effects = Desk(journal_seq=5, settled_seq=2).is_welcomed(stored_seq=2)
    assert only(do.ReadEntries, effects) == do.ReadEntries(INCARNATION, 2, FIRST_PUSH_ENTRIES)


def test_entries_whose_answer_was_lost_are_offered_again_for_their_outcomes() -> None:
    effects = Desk(journal_seq=5, settled_seq=2).is_welcomed(stored_seq=5)
    assert only(do.ReadEntries, effects).after_seq == 2


def test_a_server_that_lost_what_it_had_settled_gets_it_again() -> None:
    desk = Desk(journal_seq=5, settled_seq=5)
    effects = desk.is_welcomed(stored_seq=2)
    assert only(do.ReopenEntries, effects) == do.ReopenEntries(INCARNATION, 2)
    effects = desk.on(on.EntriesReopened(INCARNATION, 2, queue_depth=3))
    assert only(do.ReadEntries, effects).after_seq == 2


def test_a_journal_that_is_stored_is_not_read() -> None:
    effects = Desk(journal_seq=5).is_welcomed(stored_seq=5)
    assert not [effect for effect in effects if isinstance(effect, do.ReadEntries)]


def test_what_was_read_is_pushed_as_one_run() -> None:
    desk = Desk(journal_seq=5, settled_seq=0)
    desk.is_welcomed()
    assert said_by_device(desk.on(on.EntriesRead(ENTRIES))) == [Push(ENTRIES)]


def test_an_acknowledgement_is_stored_before_the_next_entries_are_read() -> None:
    desk = pushing()
    desk.on(recorded(6))
    message = stored(ENTRIES)
    assert desk.hears(message) == (do.StoreOutcomes(INCARNATION, message),)
    effects = desk.on(on.OutcomesStored(5, queue_depth=1))
    assert only(do.ReadEntries, effects).after_seq == 5


def test_one_push_is_under_way_at_a_time() -> None:
    desk = pushing()
    assert desk.on(recorded(6)) == ()
    assert desk.on(recorded(7)) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"outcomes": outcomes_of(ENTRIES[:4])},
        {"outcomes": (*outcomes_of(ENTRIES), EntryOutcome(6, uuid_of(6), Outcome.APPLIED))},
        {"outcomes": tuple(reversed(outcomes_of(ENTRIES)))},
        {"outcomes": tuple(with_fields(outcome, event_id="x") for outcome in outcomes_of(ENTRIES))},
        {"through_seq": 4},
        {"through_seq": 6},
        {"hash": bytes(32)},
    ],
)
def test_an_acknowledgement_of_anything_else_breaks_the_protocol(changes: dict[str, object]) -> None:
    answer = with_fields(stored(ENTRIES), **changes)
    assert close_code(pushing().hears(answer)) is CloseCode.PROTOCOL_VIOLATION


def test_an_acknowledgement_without_a_push_breaks_the_protocol() -> None:
    desk = Desk()
    desk.is_welcomed()
    assert close_code(desk.hears(stored(ENTRIES))) is CloseCode.PROTOCOL_VIOLATION


def test_a_second_acknowledgement_of_one_push_breaks_the_protocol() -> None:
    desk = pushing()
    desk.hears(stored(ENTRIES))
    assert close_code(desk.hears(stored(ENTRIES))) is CloseCode.PROTOCOL_VIOLATION


def test_a_server_that_stands_further_back_gets_the_entries_from_there() -> None:
    desk = Desk(journal_seq=5, settled_seq=3)
    desk.is_welcomed(stored_seq=3)
    desk.on(on.EntriesRead(ENTRIES[3:]))
    effects = desk.hears(PushStored(through_seq=1, hash=ENTRIES[0].hash))
    assert only(do.ReopenEntries, effects) == do.ReopenEntries(INCARNATION, 1)
    effects = desk.on(on.EntriesReopened(INCARNATION, 1, queue_depth=4))
    assert only(do.ReadEntries, effects).after_seq == 1
    assert said_by_device(desk.on(on.EntriesRead(ENTRIES[1:]))) == [Push(ENTRIES[1:])]


@pytest.mark.parametrize("through_seq", [3, 4, 5])
def test_a_resend_that_is_no_step_back_breaks_the_protocol(through_seq: int) -> None:
    desk = Desk(journal_seq=5, settled_seq=3)
    desk.is_welcomed(stored_seq=3)
    desk.on(on.EntriesRead(ENTRIES[3:]))
    answer = PushStored(through_seq=through_seq, hash=b"")
    assert close_code(desk.hears(answer)) is CloseCode.PROTOCOL_VIOLATION


@pytest.mark.parametrize("entries", [(), ENTRIES[1:]])
def test_entries_that_are_wanted_and_not_kept_end_the_incarnation(entries: tuple[Entry, ...]) -> None:
    desk = Desk(journal_seq=5, settled_seq=0)
    desk.is_welcomed()
    assert desk.on(on.EntriesRead(entries)) == (do.BeginIncarnation(INCARNATION),)


def test_a_push_that_nobody_acknowledges_for_thirty_seconds_stalls_the_link() -> None:
    desk = pushing()
    for after_ms in (10_000, 20_000, 29_999):
        desk.now_ms = START_MS + after_ms
        desk.hears(Heartbeat(version=HEAD_VERSION))
        desk.at(after_ms)
    assert not desk.session.is_closed
    assert desk.session.deadline_ms == START_MS + 30_000
    assert close_code(desk.at(30_000)) is CloseCode.STALLED


def test_advice_to_slow_down_never_makes_a_small_push_larger() -> None:
    desk = Desk(journal_seq=10_000, settled_seq=0)
    entries, read = journal_of(4), only(do.ReadEntries, desk.is_welcomed())
    for entry in entries:
        desk.on(on.EntriesRead((entry,)))
        desk.now_ms += 6_000
        desk.hears(stored((entry,)))
        desk.hears(Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=0))
        read = only(do.ReadEntries, desk.on(on.OutcomesStored(entry.seq, queue_depth=1)))
    assert read.entries_max == FIRST_PUSH_ENTRIES // 2**4


def test_the_push_size_follows_how_quick_the_server_answers() -> None:
    desk, sizes = Desk(journal_seq=10_000, settled_seq=0), []
    entries, read = journal_of(3), only(do.ReadEntries, desk.is_welcomed())
    for entry, took_ms in zip(entries, (1_000, 5_000, 3_000), strict=True):
        desk.on(on.EntriesRead((entry,)))
        desk.now_ms += took_ms
        desk.hears(stored((entry,)))
        sizes.append(read.entries_max)
        read = only(do.ReadEntries, desk.on(on.OutcomesStored(entry.seq, queue_depth=1)))
    assert [*sizes, read.entries_max] == [32, 64, 32, 40]


def test_the_push_size_never_passes_what_the_server_allows() -> None:
    assert only(do.ReadEntries, Desk(journal_seq=5, settled_seq=0).is_welcomed(push_max=7)).entries_max == 7
    assert only(do.ReadEntries, Desk(journal_seq=5, settled_seq=0).is_welcomed(push_max=0)).entries_max == 1


def test_advice_to_slow_down_makes_pushes_small_again() -> None:
    desk = Desk(journal_seq=10_000, settled_seq=0)
    desk.is_welcomed()
    desk.on(on.EntriesRead(ENTRIES))
    desk.hears(stored(ENTRIES))
    assert desk.hears(Advice(kind=AdviceKind.SLOW_DOWN, delay_ms=0)) == ()
    effects = desk.on(on.OutcomesStored(5, queue_depth=1))
    assert only(do.ReadEntries, effects).entries_max == FIRST_PUSH_ENTRIES
