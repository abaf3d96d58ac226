"""Voids, corrections and answers: a test for each row of what is decided of them."""

import msgspec
import pytest

from sync.amendments import amend
from sync.attendance import ChildAttendance, Correction, EventKind, Fact, FindingKind, fold
from sync.findings import Answer
from tests.unit.sync.builders import NINE_MS, at_ms, came, left, told, uuid_of

FOXES, BEARS, ANN = (uuid_of(number) for number in (0xF0, 0xF1, 0xAA))
MISSED = ":".join((FindingKind.POSSIBLE_MISSED_CHECK_OUT, uuid_of(1), uuid_of(2)))


def void(number: int, minute: float, *names: int, desk: str = "A") -> Fact:
    return told(number, EventKind.VOID, minute, desk, supersedes=names)


def correct(number: int, minute: float, *names: int, to: float | None = None, adult: str = "") -> Fact:
    said = Correction(occurred_at_ms=None if to is None else at_ms(to), adult_name=adult)
    return told(number, EventKind.CORRECT, minute, supersedes=names, corrected=said)


def answer(number: int, minute: float, *names: int, said: str = "so", left_at: float | None = None) -> Fact:
    event_kind, left_at_ms = EventKind.REVIEW_RESOLVED, None if left_at is None else at_ms(left_at)
    return told(number, event_kind, minute, "M", supersedes=names, finding=MISSED, answer=said, left_at_ms=left_at_ms)


def spans(attendance: ChildAttendance) -> list[tuple[int | None, int | None]]:
    return [(stay.started_at_ms, stay.ended_at_ms) for stay in attendance.stays]


def counting(*facts: Fact) -> list[int]:
    """The numbers of the events that count."""
    ordered = sorted(facts, key=lambda each: each.order)
    return [int(each.event.event_id[-4:], 16) for each in amend(ordered).facts]


# -- voids


def test_a_voided_event_no_longer_counts() -> None:
    attendance = fold([came(1, 0), came(2, 60, "B"), void(3, 61, 2)])
    assert attendance == fold([came(1, 0)])


@pytest.mark.parametrize("minute", [-60, 0, 600])
def test_a_void_counts_whatever_its_desks_clock_said(minute: float) -> None:
    assert fold([came(1, 0), void(2, minute, 1, desk="B")]) == ChildAttendance()


def test_a_voided_void_gives_back_what_it_took() -> None:
    assert counting(came(1, 0), void(2, 1, 1), void(3, 2, 2)) == [1]
    assert counting(came(1, 0), void(2, 1, 1), void(3, 2, 2), void(4, 3, 3)) == []


def test_two_voids_of_one_event_must_both_be_voided() -> None:
    assert counting(came(1, 0), void(2, 1, 1), void(3, 2, 1), void(4, 3, 2)) == []
    assert counting(came(1, 0), void(2, 1, 1), void(3, 2, 1), void(4, 3, 2, 3)) == [1]


def test_a_void_that_is_voided_twice_gives_back_what_it_took_too() -> None:
    assert counting(came(1, 0), void(2, 1, 1), void(3, 2, 2), void(4, 3, 2)) == [1]


def test_whoever_of_two_takes_a_void_away_first_it_is_gone() -> None:
    assert counting(came(1, 0), void(2, 1, 1), void(3, 2, 2), void(4, 3, 2), void(5, 4, 3)) == [1]
    assert counting(came(1, 0), void(2, 1, 1), void(3, 2, 2), void(4, 3, 3), void(5, 4, 2)) == [1]


def test_a_void_of_an_unknown_event_waits_for_it() -> None:
    assert counting(came(1, 0), void(2, 1, 9)) == [1]
    assert counting(came(1, 0), void(2, 1, 9), came(9, 30)) == [1]


def test_of_voids_in_a_circle_the_last_acts_first() -> None:
    assert counting(came(1, 0), came(2, 0), void(3, 1, 4, 1), void(4, 2, 3, 2)) == [1]
    assert counting(came(1, 0), void(3, 1, 5, 1), void(4, 2, 3), void(5, 3, 4)) == []
    assert counting(came(1, 0), void(3, 1, 3, 1)) == []


def test_who_depends_on_a_circle_waits_for_it() -> None:
    assert counting(came(1, 0), void(2, 9, 1), void(3, 1, 4, 2), void(4, 2, 3)) == []
    assert counting(came(1, 0), void(2, 0, 1), void(3, 1, 4), void(4, 2, 3, 2)) == [1]


def test_a_confirmation_can_be_voided() -> None:
    disputed = told(2, EventKind.CONFIRM, 30, confirms=(1,), disputes=True)
    assert fold([came(1, 0), disputed]).findings
    assert not fold([came(1, 0), disputed, void(3, 40, 2)]).findings


# -- corrections


def test_a_corrected_time_counts_and_no_clocks_error_is_added_to_it() -> None:
    wrong = told(1, EventKind.CHECK_IN, 0, offset_ms=3_600_000, clock_suspect=True)
    attendance = fold([wrong, correct(2, 90, 1, to=90)])
    assert spans(attendance) == [(at_ms(90), None)]
    assert not attendance.findings


def test_a_correction_supersedes_only_what_it_names() -> None:
    attendance = fold([came(1, 0), left(2, 60), came(3, 90), correct(4, 100, 2, to=50)])
    assert spans(attendance) == [(NINE_MS, at_ms(50)), (at_ms(90), None)]


def test_an_older_event_that_comes_late_reopens_the_question_if_it_changes_the_day() -> None:
    facts = [came(1, 0), left(2, 60), correct(4, 100, 2, to=50)]
    assert not fold(facts).findings
    late = fold([*facts, left(3, 61)])
    assert spans(late) == [(NINE_MS, at_ms(50)), (None, at_ms(61))]
    assert [finding.kind for finding in late.findings] == [FindingKind.CHECK_OUT_WITHOUT_CHECK_IN]


def test_a_corrected_adult_is_judged_as_if_it_had_been_said() -> None:
    facts = [came(1, 0), left(2, 60, adult="Ann"), left(3, 61, "B", adult="Bob")]
    assert [finding.kind for finding in fold(facts).findings] == [FindingKind.TWO_COLLECTORS]
    assert not fold([*facts, correct(4, 70, 3, adult="Ann")]).findings


def test_a_corrected_adult_on_file_replaces_the_name() -> None:
    said = Correction(adult_id=ANN)
    (fixed,) = amend([left(1, 0, adult="Bob"), told(2, EventKind.CORRECT, 1, supersedes=(1,), corrected=said)]).facts
    assert (fixed.event.adult_id, fixed.event.adult_name) == (ANN, "")


def test_a_corrected_room_is_that_of_a_check_in_and_the_goal_of_a_move() -> None:
    came_in = told(1, EventKind.CHECK_IN, 0, room_id=FOXES)
    went_on = told(2, EventKind.ROOM_MOVE, 30, room_id=FOXES, to_room_id=FOXES)
    fixed = told(3, EventKind.CORRECT, 40, supersedes=(1, 2), corrected=Correction(room_id=BEARS))
    assert [room.room_id for room in fold([came_in, went_on, fixed]).stays[0].rooms] == [BEARS, BEARS]
    assert amend([went_on, fixed]).facts[0].event.room_id == FOXES


def test_a_headcount_can_be_corrected_to_nobody() -> None:
    fixed = told(2, EventKind.CORRECT, 1, supersedes=(1,), corrected=Correction(headcount=0))
    assert amend([told(1, EventKind.HEADCOUNT, 0, headcount=3), fixed]).facts[0].event.headcount == 0


def test_of_two_corrections_the_later_ones_word_counts_field_by_field() -> None:
    facts = [came(1, 0), correct(2, 50, 1, to=10, adult="Ann"), correct(3, 60, 1, to=20)]
    (fixed,) = amend(facts).facts
    assert (fixed.at_ms, fixed.event.adult_name) == (at_ms(20), "Ann")


def test_a_correction_of_a_correction_corrects_what_that_one_corrects() -> None:
    facts = [came(1, 0), correct(2, 50, 1, to=10), correct(3, 60, 2, to=20), correct(4, 70, 3, 2, adult="Ann")]
    (fixed,) = amend(facts).facts
    assert (fixed.at_ms, fixed.event.adult_name) == (at_ms(20), "Ann")
    assert spans(fold([*facts, void(5, 80, 2)])) == [(NINE_MS, None)]


def test_a_voided_correction_gives_back_what_was_said() -> None:
    assert fold([came(1, 0), correct(2, 50, 1, to=10), void(3, 60, 2)]) == fold([came(1, 0)])


def test_a_correction_of_a_void_is_nothing_and_of_what_was_voided_too() -> None:
    assert counting(came(1, 0), void(2, 10, 1), correct(3, 20, 2, 1, to=5)) == []


def test_corrections_in_a_circle_end() -> None:
    (fixed,) = amend([came(1, 0), correct(2, 50, 3, 1, to=10), correct(3, 60, 2, to=20)]).facts
    assert fixed.at_ms == at_ms(20)


# -- answers


def test_an_answered_finding_is_closed_and_kept_with_its_answer() -> None:
    attendance = fold([came(1, 0), came(2, 60, "B"), answer(3, 90, said="was_here")])
    assert attendance.findings == ()
    assert attendance.answers == (Answer(MISSED, "was_here", uuid_of(3)),)
    assert spans(attendance) == [(NINE_MS, None)]


def test_a_new_contradiction_is_another_finding_and_open() -> None:
    facts = [came(1, 0), came(2, 60, "B"), answer(3, 90), came(4, 120, "B")]
    (finding,) = fold(facts).findings
    assert finding.event_ids == (uuid_of(1), uuid_of(4))


def test_an_answer_that_names_an_event_voids_it() -> None:
    attendance = fold([came(1, 0), came(2, 60, "B"), left(4, 80), answer(3, 90, 2, said="a_mistake")])
    assert spans(attendance) == [(NINE_MS, at_ms(80))]
    assert attendance.answers


def test_an_answer_that_says_something_anew_corrects() -> None:
    fixed = msgspec.structs.replace(
        answer(3, 90, 2), event=msgspec.structs.replace(answer(3, 90, 2).event, corrected=Correction(adult_name="Bo"))
    )
    attendance = fold([came(1, 0), came(2, 60, "B"), fixed])
    assert spans(attendance) == [(NINE_MS, None)]
    assert not attendance.findings


def test_an_answer_says_when_the_child_left_and_that_answers_every_arrival_before() -> None:
    attendance = fold([came(1, 0, "M"), came(5, 15, "C"), came(2, 60, "B"), answer(3, 90, left_at=30)])
    assert spans(attendance) == [(NINE_MS, at_ms(30)), (at_ms(60), None)]
    assert [finding.key for finding in attendance.findings] != [MISSED]


def test_of_two_answers_to_one_finding_the_later_counts_with_what_follows_from_it() -> None:
    facts = [came(1, 0), came(2, 60, "B"), answer(3, 90, said="left", left_at=30)]
    attendance = fold([*facts, answer(4, 95, said="was_here")])
    assert [each.answer for each in attendance.answers] == ["was_here"]
    assert spans(attendance) == [(NINE_MS, None)]
    assert fold([*facts, answer(4, 95), void(5, 99, 4)]) == fold(facts)


def test_a_voided_answer_opens_the_question_again() -> None:
    facts = [came(1, 0), came(2, 60, "B")]
    assert fold([*facts, answer(3, 90), void(4, 95, 3)]) == fold(facts)
