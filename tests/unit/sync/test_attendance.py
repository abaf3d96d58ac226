"""How presence is decided: one test for each row of the table that a subject's own events decide."""

import msgspec
import pytest

from sync.attendance import ChildAttendance, EventKind, Fact, FindingKind, InRoom, fold
from tests.unit.sync.builders import (
    MINUTE_MS,
    NINE_MS,
    at_ms,
    came,
    fact,
    left,
    told,
    uuid_of,
)

FOXES, BEARS, OWLS = (uuid_of(number) for number in (0xF0, 0xF1, 0xF2))


def kinds(attendance: ChildAttendance) -> list[FindingKind]:
    return [finding.kind for finding in attendance.findings]


def test_the_same_event_twice_counts_once() -> None:
    again = came(1, 0, desk="B")
    attendance = fold([came(1, 0), again, came(1, 0)])
    assert len(attendance.stays) == 1
    assert attendance.stays[0].corroborated_by == ()
    assert not attendance.findings


def test_of_two_testimonies_under_one_id_the_first_in_order_counts() -> None:
    assert fold([came(1, 30), came(1, 0, "B")]) == fold([came(1, 0, "B")])


@pytest.mark.parametrize("desk", ["A", "B"])
@pytest.mark.parametrize("minute", [0, 5, 10])
def test_two_check_ins_within_ten_minutes_are_one_arrival(desk: str, minute: float) -> None:
    attendance = fold([came(2, minute, desk), came(1, 0)])
    assert [stay.started_at_ms for stay in attendance.stays] == [NINE_MS]
    assert attendance.stays[0].corroborated_by == (uuid_of(2),)
    assert not attendance.findings


@pytest.mark.parametrize("desk", ["A", "B"])
def test_two_check_ins_further_apart_leave_the_earliest_standing_and_open(desk: str) -> None:
    attendance = fold([came(1, 0), came(2, 10 + 1 / MINUTE_MS, desk)])
    assert attendance.open_stay is not None
    assert attendance.open_stay.started_at_ms == NINE_MS
    assert kinds(attendance) == [FindingKind.POSSIBLE_MISSED_CHECK_OUT]
    assert attendance.findings[0].event_ids == (uuid_of(1), uuid_of(2))


def test_that_and_then_the_first_desks_check_out_cuts_the_stays_where_they_meet() -> None:
    attendance = fold([came(1, 0, "A"), came(2, 60, "B"), left(3, 120, "A")])
    first, second = attendance.stays
    assert (first.ended_at_ms, second.started_at_ms) == (NINE_MS + 60 * MINUTE_MS,) * 2
    assert first.disputed
    assert second.disputed
    assert second.is_open
    assert kinds(attendance) == [FindingKind.POSSIBLE_MISSED_CHECK_OUT, FindingKind.OVERLAPPING_STAYS]
    assert attendance.findings[1].event_ids == (uuid_of(1), uuid_of(2), uuid_of(3))


def test_the_second_desks_check_out_then_ends_the_second_stay() -> None:
    attendance = fold([came(1, 0, "A"), came(2, 60, "B"), left(3, 120, "A"), left(4, 130, "B")])
    assert attendance.open_stay is None
    assert attendance.stays[1].ended_at_ms == NINE_MS + 130 * MINUTE_MS


def test_a_check_out_answers_what_others_saw_in_the_same_moment_as_its_own_desk() -> None:
    facts = [came(1, 0, "A"), came(2, 60, "B"), came(3, 65, "C"), left(4, 120, "A"), left(5, 121, "B")]
    first, second = fold(facts).stays
    assert first.ended_at_ms == second.started_at_ms
    assert second.corroborated_by == (uuid_of(3),)
    assert second.ended_at_ms == NINE_MS + 121 * MINUTE_MS


def test_a_check_out_at_a_desk_that_saw_nobody_come_answers_every_check_in() -> None:
    attendance = fold([came(1, 0, "A"), came(2, 60, "B"), left(3, 120, "C")])
    assert len(attendance.stays) == 1
    assert attendance.open_stay is None


def test_a_check_out_without_check_in_is_a_disputed_stay_with_unknown_start() -> None:
    attendance = fold([left(1, 0)])
    (stay,) = attendance.stays
    assert (stay.check_in, stay.started_at_ms, stay.ended_at_ms) == (None, None, NINE_MS)
    assert stay.disputed
    assert kinds(attendance) == [FindingKind.CHECK_OUT_WITHOUT_CHECK_IN]


@pytest.mark.parametrize(("one", "other"), [("", ""), ("Ann", ""), ("Ann Lee", " ann lee ")])
def test_two_check_outs_without_different_adults_within_ten_minutes_are_one(one: str, other: str) -> None:
    attendance = fold([came(1, 0), left(2, 60, adult=one), left(3, 70, "B", adult=other)])
    (stay,) = attendance.stays
    assert stay.ended_at_ms == NINE_MS + 60 * MINUTE_MS
    assert stay.corroborated_by == (uuid_of(3),)
    assert not attendance.findings


def test_a_second_check_out_of_the_same_adult_much_later_began_unseen() -> None:
    attendance = fold([came(1, 0), left(2, 60, adult="Ann"), left(3, 71, adult="Ann")])
    assert [stay.started_at_ms for stay in attendance.stays] == [NINE_MS, None]
    assert kinds(attendance) == [FindingKind.CHECK_OUT_WITHOUT_CHECK_IN]


@pytest.mark.parametrize("minute", [61, 500])
def test_two_check_outs_with_different_adults_are_a_critical_question(minute: float) -> None:
    attendance = fold([came(1, 0), left(2, 60, adult="Ann"), left(3, minute, "B", adult="Bob")])
    (stay,) = attendance.stays
    assert stay.ended_at_ms == NINE_MS + 60 * MINUTE_MS
    assert kinds(attendance) == [FindingKind.TWO_COLLECTORS]
    assert attendance.findings[0].is_critical
    assert attendance.findings[0].event_ids == (uuid_of(2), uuid_of(3))


def test_two_adults_on_file_are_told_apart_by_id_and_not_by_name() -> None:
    one = msgspec.structs.replace(left(2, 60, adult="Sam Day").event, adult_id=uuid_of(91))
    other = msgspec.structs.replace(left(3, 61, adult="Sam Day").event, adult_id=uuid_of(92))
    assert kinds(fold([came(1, 0), fact(one), fact(other, "B")])) == [FindingKind.TWO_COLLECTORS]


def test_only_two_collectors_are_critical() -> None:
    attendance = fold([left(1, 0), came(2, 60), came(3, 90)])
    assert len(attendance.findings) == 2
    assert not any(finding.is_critical for finding in attendance.findings)


# -- rooms


def moved(number: int, minute: float, room: str, desk: str = "A") -> Fact:
    return told(number, EventKind.ROOM_MOVE, minute, desk, to_room_id=room)


def came_to(number: int, minute: float, room: str, desk: str = "A") -> Fact:
    return told(number, EventKind.CHECK_IN, minute, desk, room_id=room)


def test_a_room_move_gives_the_current_room_of_the_stay_and_the_rooms_before() -> None:
    attendance = fold([moved(2, 30, BEARS), came_to(1, 0, FOXES), moved(3, 60, OWLS, "B")])
    (stay,) = attendance.stays
    assert stay.room_id == OWLS
    assert stay.rooms == (InRoom(NINE_MS, FOXES), InRoom(at_ms(30), BEARS), InRoom(at_ms(60), OWLS))
    assert not attendance.findings


def test_a_stay_of_which_nobody_said_a_room_has_none() -> None:
    assert fold([came(1, 0)]).stays[0].room_id == ""


def test_a_room_move_after_the_child_left_is_ignored_for_presence() -> None:
    attendance = fold([came_to(1, 0, FOXES), left(2, 60), moved(3, 61, BEARS, "B")])
    assert attendance.open_stay is None
    assert attendance.stays[0].room_id == FOXES
    assert kinds(attendance) == [FindingKind.MOVEMENT_AFTER_DEPARTURE]
    assert attendance.findings[0].event_ids == (uuid_of(2), uuid_of(3))


def test_a_room_move_of_a_child_who_never_came_is_ignored_for_presence() -> None:
    attendance = fold([moved(1, 0, BEARS)])
    assert attendance.stays == ()
    assert attendance.findings[0].event_ids == (uuid_of(1),)


def test_moves_belong_to_the_stay_in_which_they_happened_when_stays_are_cut() -> None:
    facts = [came_to(1, 0, FOXES), moved(2, 30, BEARS), came_to(3, 60, FOXES, "B"), moved(4, 90, OWLS), left(5, 120)]
    first, second = fold(facts).stays
    assert first.rooms == (InRoom(NINE_MS, FOXES), InRoom(at_ms(30), BEARS))
    assert second.rooms == (InRoom(at_ms(60), FOXES), InRoom(at_ms(90), OWLS))


# -- closing time


def closed(number: int, minute: float) -> Fact:
    return told(number, EventKind.AUTO_CLOSE, minute, "server")


def ends(attendance: ChildAttendance) -> list[tuple[int | None, bool]]:
    return [(stay.ended_at_ms, stay.assumed) for stay in attendance.stays]


def test_an_auto_close_ends_the_stay_as_assumed() -> None:
    attendance = fold([came(1, 0, "A"), came(2, 5, "B"), closed(3, 540)])
    assert ends(attendance) == [(at_ms(540), True)]
    assert attendance.stays[0].check_out == closed(3, 540)
    assert not attendance.findings


@pytest.mark.parametrize("minute", [300, 540, 560])
@pytest.mark.parametrize("desk", ["A", "B"])
def test_the_real_check_out_supersedes_the_assumed_one(minute: float, desk: str) -> None:
    attendance = fold([closed(3, 540), came(1, 0), left(9, minute, desk)])
    assert ends(attendance) == [(at_ms(minute), False)]
    assert attendance.stays[0].check_out == left(9, minute, desk)
    assert not attendance.findings


def test_only_the_first_real_check_out_supersedes_and_the_second_is_judged_beside_it() -> None:
    facts = [came(1, 0), closed(2, 540), left(3, 550, adult="Ann"), left(4, 555, "B", adult="Bob")]
    attendance = fold(facts)
    assert ends(attendance) == [(at_ms(550), False)]
    assert kinds(attendance) == [FindingKind.TWO_COLLECTORS]


def test_an_auto_close_of_nobody_changes_nothing() -> None:
    assert fold([closed(1, 540)]) == ChildAttendance()
    facts = [came(1, 0), left(2, 60)]
    assert fold([*facts, closed(3, 540)]) == fold(facts)


def test_a_check_in_after_the_auto_close_begins_another_stay() -> None:
    attendance = fold([came(1, 0), closed(2, 540), came(3, 541, "B")])
    assert ends(attendance) == [(at_ms(540), True), (None, False)]


def test_whom_a_real_check_out_leaves_in_is_still_assumed_to_have_gone() -> None:
    attendance = fold([came(1, 0, "A"), came(2, 60, "B"), closed(3, 540), left(4, 545, "A")])
    assert ends(attendance) == [(at_ms(60), False), (at_ms(540), True)]
    assert kinds(attendance) == [FindingKind.POSSIBLE_MISSED_CHECK_OUT, FindingKind.OVERLAPPING_STAYS]
    attendance = fold([came(1, 0, "A"), came(2, 60, "B"), closed(3, 540), left(4, 545, "A"), left(5, 550, "B")])
    assert ends(attendance) == [(at_ms(60), False), (at_ms(550), False)]


def test_a_room_move_after_closing_time_is_a_question() -> None:
    assert kinds(fold([came(1, 0), closed(2, 540), moved(3, 545, BEARS)])) == [FindingKind.MOVEMENT_AFTER_DEPARTURE]


def test_a_room_move_between_closing_time_and_the_real_check_out_belongs_to_the_stay() -> None:
    facts = [came_to(1, 0, FOXES), closed(2, 540), moved(3, 545, BEARS), left(4, 550)]
    attendance = fold(facts)
    assert attendance.stays[0].rooms == (InRoom(NINE_MS, FOXES), InRoom(at_ms(545), BEARS))
    assert not attendance.findings
    assert FindingKind.MOVEMENT_AFTER_DEPARTURE in kinds(fold([*facts, came(5, 60, "B")])), "that one is assumed over"


# -- grown-ups, and what is no presence


@pytest.mark.parametrize(
    ("arrival", "departure"),
    [
        (EventKind.STAFF_IN, EventKind.STAFF_OUT),
        (EventKind.VISITOR_IN, EventKind.VISITOR_OUT),
        (EventKind.CHECK_IN, EventKind.CHECK_OUT),
    ],
)
def test_staff_and_visitors_come_and_go_by_the_same_rows(arrival: EventKind, departure: EventKind) -> None:
    facts = [told(1, arrival, 0, "A"), told(2, arrival, 60, "B"), told(3, departure, 120, "A")]
    attendance = fold(facts)
    assert [(stay.started_at_ms, stay.ended_at_ms) for stay in attendance.stays] == [
        (NINE_MS, at_ms(60)),
        (at_ms(60), None),
    ]
    assert kinds(attendance) == [FindingKind.POSSIBLE_MISSED_CHECK_OUT, FindingKind.OVERLAPPING_STAYS]
    assert kinds(fold([told(1, departure, 0)])) == [FindingKind.CHECK_OUT_WITHOUT_CHECK_IN]


def test_a_member_of_staff_moves_as_a_child_does() -> None:
    facts = [told(1, EventKind.STAFF_IN, 0), told(2, EventKind.STAFF_MOVE, 30, to_room_id=BEARS)]
    assert fold(facts).stays[0].room_id == BEARS


@pytest.mark.parametrize(
    "kind",
    [
        EventKind.CONFIRM,
        EventKind.RELEASE_REFUSED,
        EventKind.LABEL_REPRINTED,
        EventKind.ROLLCALL_START,
        EventKind.ROLLCALL_MARK,
        EventKind.ROLLCALL_END,
        EventKind.HEADCOUNT,
    ],
)
def test_what_is_no_coming_or_going_changes_no_presence(kind: EventKind) -> None:
    facts = [came(1, 0), left(3, 60)]
    assert fold([*facts, told(2, kind, 30)]) == fold(facts)
    assert fold([told(2, kind, 30)]) == ChildAttendance()


# -- days


def test_stays_cross_midnight_and_know_no_days() -> None:
    day_minutes = 24 * 60
    facts = [came(1, 13 * 60), left(2, 13 * 60 + day_minutes), came(3, 14 * 60 + day_minutes)]
    night, next_day = fold(facts).stays
    assert (night.started_at_ms, night.ended_at_ms) == (at_ms(13 * 60), at_ms(13 * 60 + day_minutes))
    assert next_day.is_open
