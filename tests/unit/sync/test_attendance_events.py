"""The attendance event: when it happened, its bytes, and which fields go with which kind."""

from typing import Any

import msgspec
import pytest

from sync.attendance_events import (
    CLOCK_TOLERANCE_MS,
    AttendanceEvent,
    Correction,
    EventKind,
    check_event,
    corrected_at_ms,
    decode_event,
    each_once,
    encode_event,
    fields_of_kind,
)
from tests.unit.sync.builders import CENTER, CHILD, NINE_MS, at_ms, event, fact, uuid_of

PERSON, ROOM, ROLLCALL, OTHER = (uuid_of(number) for number in (0x51, 0xF0, 0xAC, 9))
FINDING = f"two_collectors:{uuid_of(2)}:{uuid_of(3)}"
# One event of each kind, with no more than it must say.
SHORTEST: dict[EventKind, dict[str, Any]] = {
    EventKind.CHECK_IN: {"child_id": CHILD},
    EventKind.CHECK_OUT: {"child_id": CHILD},
    EventKind.ROOM_MOVE: {"child_id": CHILD, "to_room_id": ROOM},
    EventKind.VOID: {"supersedes": (OTHER,)},
    EventKind.CORRECT: {"supersedes": (OTHER,), "corrected": Correction(adult_name="Ann")},
    EventKind.CONFIRM: {"confirms": (OTHER,)},
    EventKind.RELEASE_REFUSED: {"child_id": CHILD},
    EventKind.LABEL_REPRINTED: {"child_id": CHILD},
    EventKind.STAFF_IN: {"person_id": PERSON},
    EventKind.STAFF_OUT: {"person_id": PERSON},
    EventKind.STAFF_MOVE: {"person_id": PERSON, "to_room_id": ROOM},
    EventKind.VISITOR_IN: {"person_id": PERSON, "person_name": "Plumber"},
    EventKind.VISITOR_OUT: {"person_id": PERSON},
    EventKind.ROLLCALL_START: {"rollcall_id": ROLLCALL},
    EventKind.ROLLCALL_MARK: {"rollcall_id": ROLLCALL, "mark": "present", "child_id": CHILD},
    EventKind.ROLLCALL_END: {"rollcall_id": ROLLCALL},
    EventKind.HEADCOUNT: {"headcount": 0},
    EventKind.AUTO_CLOSE: {"child_id": CHILD},
    EventKind.REVIEW_RESOLVED: {"finding": FINDING, "answer": "a_mistake"},
}


def of_kind(kind: EventKind, **more: Any) -> AttendanceEvent:
    said = {"child_id": "", **SHORTEST[kind], **more}
    return event(1, kind=kind, **said)


# -- time


def test_a_small_clock_error_leaves_the_recorded_time_alone() -> None:
    assert corrected_at_ms(event(1, offset_ms=CLOCK_TOLERANCE_MS)) == NINE_MS
    assert corrected_at_ms(event(1, offset_ms=-CLOCK_TOLERANCE_MS)) == NINE_MS


def test_a_clock_that_is_off_is_corrected() -> None:
    assert corrected_at_ms(event(1, offset_ms=CLOCK_TOLERANCE_MS + 1)) == NINE_MS + CLOCK_TOLERANCE_MS + 1
    assert corrected_at_ms(event(1, offset_ms=-3_600_000)) == NINE_MS - 3_600_000


def test_a_time_that_a_person_typed_is_believed() -> None:
    assert corrected_at_ms(event(1, offset_ms=3_600_000, typed=True)) == NINE_MS


# -- bytes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("occurred_at_ms", -62_135_596_800_000),
        ("recorded_at_ms", 2**62),
        ("utc_offset_min", 1_441),
        ("note", "a\x00b"),
        ("adult_name", "two\nlines"),
        ("child_id", "no uuid"),
        ("kind", "nap_began"),
        ("clock_offset_ms", 2**63),
    ],
)
def test_an_impossible_value_is_not_an_event(field: str, value: object) -> None:
    told = msgspec.json.decode(encode_event(event(1)))
    with pytest.raises(msgspec.ValidationError):
        decode_event(msgspec.json.encode({**told, field: value}))


@pytest.mark.parametrize("ending", [b'"note":"\xff"}', b'"later":"\xff"}', b'"later":"\\ud800"}', b'"later":'])
def test_a_body_that_is_not_json_in_utf8_is_not_an_event_even_in_fields_unknown_here(ending: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode_event(encode_event(event(1))[:-1] + b"," + ending)


def test_an_event_that_nests_deeply_is_not_an_event() -> None:
    with pytest.raises(msgspec.ValidationError, match="flat"):
        decode_event(encode_event(event(1))[:-1] + b',"later":' + b"[" * 99 + b"]" * 99 + b"}")


def test_a_field_of_a_later_version_is_ignored() -> None:
    assert decode_event(encode_event(event(1))[:-1] + b',"later":[1,{"a":2}]}') == event(1)


def test_an_event_comes_back_from_its_own_bytes() -> None:
    happened = event(1, kind=EventKind.CHECK_OUT, adult="Zoë 李", offset_ms=-5)
    assert decode_event(encode_event(happened)) == happened


def test_the_bytes_of_a_check_in_are_what_they_always_were() -> None:
    assert encode_event(event(1, adult="Zoë")).decode() == (
        f'{{"event_id":"{uuid_of(1)}","kind":"check_in","center_id":"{CENTER}","child_id":"{CHILD}",'
        f'"occurred_at_ms":{NINE_MS},"recorded_at_ms":{NINE_MS},"adult_name":"Zoë"}}'
    )


# -- kinds


@pytest.mark.parametrize("kind", EventKind)
def test_an_event_of_each_kind_comes_back_from_its_bytes(kind: EventKind) -> None:
    assert decode_event(encode_event(of_kind(kind))) == of_kind(kind)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, said in SHORTEST.items() for name in said])
def test_an_event_without_what_its_kind_must_say_is_impossible(kind: EventKind, name: str) -> None:
    nothing = {"headcount": None, "corrected": None, "supersedes": (), "confirms": ()}.get(name, "")
    with pytest.raises(msgspec.ValidationError):
        check_event(of_kind(kind, **{name: nothing}))


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (EventKind.CHECK_IN, {"supersedes": (OTHER,)}),
        (EventKind.CHECK_IN, {"headcount": 0}),
        (EventKind.CHECK_OUT, {"to_room_id": ROOM}),
        (EventKind.CHECK_OUT, {"left_at_ms": NINE_MS}),
        (EventKind.VOID, {"corrected": Correction()}),
        (EventKind.VOID, {"finding": FINDING}),
        (EventKind.CORRECT, {"disputes": True}),
        (EventKind.STAFF_IN, {"child_id": CHILD}),
        (EventKind.HEADCOUNT, {"person_id": PERSON}),
        (EventKind.ROLLCALL_MARK, {"person_id": PERSON}),
        (EventKind.VOID, {"supersedes": (uuid_of(1),)}),
        (EventKind.REVIEW_RESOLVED, {"corrected": Correction(adult_name="Ann")}),
    ],
)
def test_an_event_with_what_belongs_to_another_kind_is_impossible(kind: EventKind, more: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_event(encode_event(of_kind(kind, **more)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("supersedes", [uuid_of(number) for number in range(17)]),
        ("supersedes", ["no uuid"]),
        ("warnings", ["Two words"]),
        ("finding", "two_collectors"),
        ("mark", "asleep"),
        ("headcount", -1),
        ("reason", "a\nb"),
        ("corrected", {"occurred_at_ms": 0}),
    ],
)
def test_a_field_of_the_new_kinds_has_its_bounds(field: str, value: object) -> None:
    said = msgspec.json.decode(encode_event(of_kind(EventKind.VOID)))
    with pytest.raises(msgspec.ValidationError, match=field):
        decode_event(msgspec.json.encode({**said, field: value}))


@pytest.mark.parametrize(
    ("more", "subject", "child"),
    [
        ({"child_id": CHILD, "room_id": ROOM}, CHILD, CHILD),
        ({"child_id": CHILD, "rollcall_id": ROLLCALL}, ROLLCALL, ""),
        ({"child_id": "", "person_id": PERSON, "room_id": ROOM}, PERSON, ""),
        ({"child_id": "", "room_id": ROOM}, ROOM, ""),
        ({"child_id": ""}, CENTER, ""),
    ],
)
def test_an_event_is_about_one_subject(more: dict[str, Any], subject: str, child: str) -> None:
    happened = event(1, **more)
    assert (happened.subject_id, happened.child_subject_id) == (subject, child)


def test_facts_are_ordered_by_corrected_time_and_then_by_what_no_arrival_can_change() -> None:
    slow = fact(event(2, offset_ms=3_600_000), "B")
    assert slow.at_ms == at_ms(60)
    assert slow.order == (at_ms(60), 2, "B", "B1", 2, uuid_of(2))


def test_what_a_kind_says_is_told() -> None:
    assert fields_of_kind(EventKind.ROOM_MOVE) == (("child_id", "to_room_id"), ("provisional_name",))
    assert fields_of_kind(EventKind.STAFF_IN) == (("person_id",), ())


def test_each_event_is_taken_once_in_order_whatever_order_it_comes_in() -> None:
    first, second = fact(event(1, minute=5)), fact(event(2, minute=0))
    again = fact(event(1, minute=9))
    assert each_once([first, again, second, first]) == [second, first]
