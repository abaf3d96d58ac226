"""What a desk knows of events that are of no child on its roster, or of a kind that is newer than it."""

from dataclasses import replace

import msgspec

from kiosk.messages import Presence
from kiosk.services.knowledge import Knowledge, is_of_a_child
from kiosk.services.roster import standing
from kiosk.store.records import StoredRecord
from sync.attendance import AttendanceEvent, EventKind, encode_event
from sync.change_log import Change, Operation
from sync.records import EventRecord, encode_record
from tests.support.faces import face_record
from tests.support.kiosk import CHILD_ID, INCARNATION, NOON_MS, event_of, uuid_of
from tests.unit.kiosk.services.own_entries import TODAY, own


def record_of(event: AttendanceEvent, number: int, **changes: object) -> StoredRecord:
    told = {**msgspec.json.decode(encode_event(event)), **changes}
    record = EventRecord(
        event=msgspec.Raw(msgspec.json.encode(told)),
        device_id="back",
        device_name="Back",
        incarnation=INCARNATION,
        seq=number,
        hlc=number,
        received_at_ms=NOON_MS,
        outcome="applied",
    )
    return StoredRecord("day:2026-09-21", "event", event.event_id, number, encode_record(record).decode())


def test_a_kind_of_a_newer_version_is_left_out_and_everything_else_goes_on() -> None:
    knowledge = Knowledge("device", version=0)
    newer = record_of(event_of(1), 1, kind="nap_began", pillow={"soft": True})
    news = knowledge.load(2, [newer, record_of(event_of(2), 2)], ())
    assert [event_id for _, event_id in news.events] == [event_of(2).event_id]
    assert standing(knowledge, CHILD_ID, TODAY).status is Presence.IN


def test_what_is_told_of_grown_ups_and_roll_calls_is_known_and_is_on_no_roster() -> None:
    knowledge = Knowledge("device", version=0)
    person, rollcall = uuid_of(0x51), uuid_of(0xAC)
    staff = record_of(event_of(1), 1, kind="staff_in", child_id="", person_id=person)
    mark = record_of(event_of(2), 2, kind="rollcall_mark", rollcall_id=rollcall, mark="missing")
    assert knowledge.load(2, [staff, mark], ()).events == ()
    assert knowledge.attendance(person).open_stay is not None
    assert standing(knowledge, CHILD_ID, TODAY).status is Presence.NOT_ARRIVED


def test_an_own_entry_about_nobodys_child_waits_like_any_other() -> None:
    knowledge = Knowledge("device", version=0)
    counted = msgspec.structs.replace(event_of(1), kind=EventKind.HEADCOUNT, child_id="", headcount=3)
    entry = replace(own(1, None), kind=counted.kind, child_id="", body=encode_event(counted).decode())
    knowledge.add_own(entry)
    assert knowledge.waiting() == 1
    assert not is_of_a_child(entry)


def test_a_picture_is_known_replaced_and_forgotten_and_a_broken_one_is_none() -> None:
    knowledge, body = Knowledge("device"), encode_record(face_record())
    knowledge.load(1, [StoredRecord("reference", "picture", CHILD_ID, 1, body.decode())], ())
    assert knowledge.pictures == {CHILD_ID: face_record()}
    put = Change(2, "reference", "picture", uuid_of(7), Operation.PUT, b'{"palette":1}', b"", b"", True)
    assert knowledge.apply(2, [put]).reference_changed
    assert list(knowledge.pictures) == [CHILD_ID]
    gone = Change(3, "reference", "picture", CHILD_ID, Operation.REMOVE, b"", b"", b"", True)
    knowledge.apply(3, [gone])
    assert knowledge.pictures == {}
