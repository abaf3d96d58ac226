"""Somebody whom the server and this desk no longer have on file is in the building still, as long as a desk says so."""

from dataclasses import replace

import msgspec
import pytest

from kiosk.messages import Mark
from kiosk.services.child_day import Stands, child_day
from kiosk.services.knowledge import Knowledge
from kiosk.services.people import people_in
from kiosk.store.journal import OwnEntry
from kiosk.store.records import StoredRecord
from sync.attendance import EventKind, encode_event
from sync.change_log import Change, Operation
from sync.intake import WITNESSED_KIND
from sync.journal import Outcome, ParkReason
from sync.records import ChildRecord, EventRecord, encode_record
from tests.support.kiosk import CHILD_ID, INCARNATION, NOON_MS, event_of
from tests.unit.kiosk.services.own_entries import own

CHILD = ChildRecord(given_name="Mia", family_name="Berger")
ON_FILE = StoredRecord("reference", "child", CHILD_ID, 1, encode_record(CHILD).decode())
AWAY = Change(2, "reference", "child", CHILD_ID, Operation.REMOVE, b"", b"", b"", True)


def parked(number: int, reason: ParkReason, kind: EventKind = EventKind.CHECK_IN) -> OwnEntry:
    event = msgspec.structs.replace(event_of(number), kind=kind)
    entry = replace(own(number, Outcome.PARKED), kind=kind, body=encode_event(event).decode())
    return replace(entry, reason=reason)


def witnessed(number: int, reason: ParkReason) -> OwnEntry:
    record = EventRecord(
        event=msgspec.Raw(encode_event(event_of(number))),
        device_id="back",
        device_name="Back",
        incarnation=INCARNATION,
        seq=number,
        hlc=number,
        received_at_ms=NOON_MS,
        outcome="applied",
    )
    entry = replace(parked(number, reason), kind=WITNESSED_KIND, child_id="")
    return replace(entry, body=encode_record(record).decode())


@pytest.mark.parametrize("make", [parked, witnessed], ids=["recorded here", "seen of another desk"])
def test_an_arrival_kept_aside_counts_only_while_nobody_has_the_child_on_file(make: object) -> None:
    assert callable(make)
    knowledge = Knowledge("device")
    knowledge.load(1, [ON_FILE], [make(1, ParkReason.UNKNOWN_REFERENCE)])
    assert knowledge.attendance(CHILD_ID).open_stay is None
    knowledge.apply(2, [AWAY])
    assert [person.subject_id for person in people_in(knowledge)] == [CHILD_ID]
    back = Change(3, "reference", "child", CHILD_ID, Operation.PUT, encode_record(CHILD), b"", b"", True)
    knowledge.apply(3, [back])
    assert people_in(knowledge) == ()


@pytest.mark.parametrize("reason", [one for one in ParkReason if one is not ParkReason.UNKNOWN_REFERENCE])
def test_what_is_kept_aside_for_another_reason_counts_for_nobody(reason: ParkReason) -> None:
    knowledge = Knowledge("device")
    knowledge.load(1, [], [parked(1, reason), witnessed(2, reason)])
    assert people_in(knowledge) == ()


def test_a_departure_kept_aside_too_ends_the_stay_and_each_is_told_once() -> None:
    knowledge = Knowledge("device")
    knowledge.load(1, [], [parked(1, ParkReason.UNKNOWN_REFERENCE)])
    (line,) = child_day(knowledge, CHILD_ID, 0, "Front").lines
    assert (line.stands, line.mark) == (Stands.COUNTS, Mark.NEEDS_REVIEW)
    knowledge.add_own(parked(2, ParkReason.UNKNOWN_REFERENCE, EventKind.CHECK_OUT))
    assert people_in(knowledge) == ()
    assert len(child_day(knowledge, CHILD_ID, 0, "Front").lines) == 2


def test_a_void_of_the_log_ends_it_on_every_desk() -> None:
    void = msgspec.structs.replace(
        event_of(9), kind=EventKind.VOID, supersedes=(event_of(1).event_id,), provisional_name="Mia", reason="dismissed"
    )
    record = EventRecord(
        event=msgspec.Raw(encode_event(void)),
        device_id="server",
        device_name="Server",
        incarnation=INCARNATION,
        seq=1,
        hlc=1,
        received_at_ms=NOON_MS,
        outcome="applied",
    )
    stored = StoredRecord("day:2026-09-21", "event", void.event_id, 2, encode_record(record).decode())
    knowledge = Knowledge("device")
    knowledge.load(2, [stored], [parked(1, ParkReason.UNKNOWN_REFERENCE)])
    assert people_in(knowledge) == ()
