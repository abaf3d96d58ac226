"""What a desk recorded of grown-ups and roll-calls counts at once, and exactly once when the log tells of it."""

from dataclasses import replace

import msgspec
import pytest

from kiosk.services.knowledge import Knowledge
from kiosk.store.journal import OwnEntry
from kiosk.store.records import StoredRecord
from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.journal import Outcome
from sync.records import EventRecord, encode_record
from tests.support.kiosk import INCARNATION, NOON_MS, event_of, uuid_of
from tests.unit.kiosk.services.own_entries import own

PERSON = uuid_of(0x51)


def arrival() -> AttendanceEvent:
    return msgspec.structs.replace(event_of(1), kind=EventKind.STAFF_IN, child_id="", person_id=PERSON)


def own_arrival(outcome: Outcome | None, version: int = 0) -> OwnEntry:
    event = arrival()
    return replace(own(1, outcome, version), kind=event.kind, child_id="", body=encode_event(event).decode())


def log_record(version: int) -> StoredRecord:
    record = EventRecord(
        event=msgspec.Raw(encode_event(arrival())),
        device_id="device",
        device_name="Front",
        incarnation=INCARNATION,
        seq=1,
        hlc=1,
        received_at_ms=NOON_MS,
        outcome="applied",
    )
    return StoredRecord("day:2026-09-21", "event", uuid_of(1), version, encode_record(record).decode())


@pytest.mark.parametrize(
    ("outcome", "version", "is_known"),
    [(None, 0, True), (Outcome.APPLIED, 6, True), (Outcome.APPLIED, 5, False), (Outcome.PARKED, 0, False)],
)
def test_an_own_entry_counts_until_the_log_must_have_it(
    outcome: Outcome | None, version: int, *, is_known: bool
) -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(own_arrival(outcome, version))
    assert (knowledge.attendance(PERSON).open_stay is not None) is is_known
    assert knowledge.is_waiting(uuid_of(1)) is (outcome is None)
    assert PERSON in knowledge.subjects()


def test_a_late_word_never_unsettles_an_entry_and_the_record_counts_once() -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(own_arrival(Outcome.PARKED))
    knowledge.add_own(own_arrival(None))
    assert knowledge.attendance(PERSON).open_stay is None
    knowledge.load(7, [log_record(6)], [own_arrival(Outcome.APPLIED, 6)])
    assert list(knowledge.facts(PERSON)) == [uuid_of(1)]


def test_what_was_recorded_while_the_store_was_read_stays_known_and_what_was_dropped_goes() -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(own_arrival(None))
    knowledge.load(5, [], [])
    assert knowledge.attendance(PERSON).open_stay is not None
    knowledge.add_own(own_arrival(Outcome.APPLIED, 9))
    knowledge.load(5, [], [])
    assert knowledge.attendance(PERSON).open_stay is None
    assert PERSON not in knowledge.subjects()


def test_an_entry_that_nobody_can_read_is_kept_by_the_store_and_left_out_here() -> None:
    knowledge = Knowledge("device", version=5)
    knowledge.add_own(replace(own_arrival(None), body='{"kind": "staff_in"}'))
    assert (knowledge.subjects(), knowledge.waiting()) == (frozenset(), 1)


def test_a_desk_knows_when_each_other_desk_was_last_heard_and_not_itself() -> None:
    knowledge = Knowledge("front", version=0)
    knowledge.load(6, [log_record(6)], ())
    assert knowledge.heard_from() == {"device": ("Front", NOON_MS)}
    assert Knowledge("device").heard_from() == {}
