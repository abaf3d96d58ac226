"""How events of every kind become facts: of whom they are, and what they must say."""

from typing import Any

from sync.attendance import EventKind
from sync.intake import StoredFact
from sync.journal import Outcome, ParkReason
from sync.records import bucket_of_day
from tests.unit.sync.builders import came, draft, event, told, uuid_of
from tests.unit.sync.test_intake import ORIGIN, decide, entry_of, intake, parked

STAFF = uuid_of(0x51)


def test_an_event_of_somebody_who_is_no_child_needs_no_child_on_file() -> None:
    said = [
        told(1, EventKind.STAFF_IN, 0, child_id="", person_id=STAFF),
        told(2, EventKind.HEADCOUNT, 1, child_id="", headcount=12),
        told(3, EventKind.ROLLCALL_MARK, 2, child_id=uuid_of(0xDD), rollcall_id=uuid_of(0xAC), mark="missing"),
    ]
    deciding = intake()
    for each in said:
        decision = deciding.decide(entry_of(draft(each.event)), ORIGIN)
        assert decision.outcome.outcome is Outcome.APPLIED
        assert decision.draft is not None
        assert decision.draft.bucket == bucket_of_day(each.at_ms, "Pacific/Auckland")


def test_each_subject_has_contradictions_of_its_own() -> None:
    stored = [StoredFact(told(1, EventKind.STAFF_IN, 0, child_id="", person_id=STAFF), 7)]
    again: dict[str, Any] = {"kind": EventKind.STAFF_IN, "minute": 30, "child_id": ""}
    assert decide(event(2, **again, person_id=STAFF), stored).outcome.outcome is Outcome.CONFLICT
    assert decide(event(2, **again, person_id=uuid_of(0x52)), stored).outcome.outcome is Outcome.APPLIED


def test_an_event_that_does_not_say_what_its_kind_must_say_is_an_impossible_value() -> None:
    assert parked(draft(event(1, kind=EventKind.ROOM_MOVE))) is ParkReason.IMPOSSIBLE_VALUE
    assert parked(draft(event(1, child_id=""))) is ParkReason.IMPOSSIBLE_VALUE
    assert parked(draft(event(1, supersedes=(uuid_of(2),)))) is ParkReason.IMPOSSIBLE_VALUE


def test_a_child_who_is_not_on_file_is_taken_in_under_a_name() -> None:
    decision = decide(event(1, child_id=uuid_of(0xDD), provisional_name="Tim"))
    assert decision.outcome.outcome is Outcome.CONFLICT, "a person files the child"
    assert decision.fact is not None


def test_after_a_void_there_is_no_contradiction_left_to_be_part_of() -> None:
    deciding = intake([StoredFact(came(1, 0), 7), StoredFact(came(2, 30, desk="B"), 8)])
    voided = event(3, kind=EventKind.VOID, minute=31, supersedes=(uuid_of(2),))
    outcomes = [deciding.decide(entry_of(draft(each)), ORIGIN).outcome.outcome for each in (voided, event(4, minute=5))]
    assert outcomes == [Outcome.APPLIED, Outcome.APPLIED]
