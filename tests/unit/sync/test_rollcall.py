"""Roll-calls and headcounts: a test for each row of the table, and the laws of a merge."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.attendance import Correction, EventKind, Fact
from sync.rollcall import Marked, RollCall, RollMark, begun_at_ms, merge_headcounts, merge_rollcall, room_of
from tests.unit.sync.builders import CENTER, CHILD, at_ms, told, uuid_of

ROLL, ANN, BOB, FOXES, BEARS = (uuid_of(number) for number in (0xC0, 0xAA, 0xBB, 0xF0, 0xF1))
PRESENT, MISSING, ELSEWHERE = RollMark.PRESENT, RollMark.MISSING, RollMark.ELSEWHERE


def start(number: int, minute: float, desk: str = "A", **more: Any) -> Fact:
    return told(number, EventKind.ROLLCALL_START, minute, desk, child_id="", rollcall_id=ROLL, **more)


def end(number: int, minute: float, desk: str = "A") -> Fact:
    return told(number, EventKind.ROLLCALL_END, minute, desk, child_id="", rollcall_id=ROLL)


def mark(number: int, minute: float, said: str, desk: str = "A", **more: Any) -> Fact:
    return told(number, EventKind.ROLLCALL_MARK, minute, desk, rollcall_id=ROLL, mark=said, **more)


def void(number: int, minute: float, *names: int) -> Fact:
    return told(number, EventKind.VOID, minute, child_id="", rollcall_id=ROLL, supersedes=names)


def correct(number: int, minute: float, name: int, to: float) -> Fact:
    said = Correction(occurred_at_ms=at_ms(to))
    return told(
        number, EventKind.CORRECT, minute, child_id="", rollcall_id=ROLL, supersedes=(name,), corrected=said
    )  # fmt: skip


def merged(*facts: Fact, expected: Sequence[str] = ()) -> RollCall:
    return merge_rollcall(ROLL, facts, expected)


def marked(*facts: Fact) -> Marked:
    (found,) = merged(*facts).marks
    return found


def numbers(facts: Sequence[Fact]) -> list[int]:
    return [int(one.event.event_id[-4:], 16) for one in facts]


def test_the_same_event_twice_counts_once_and_one_word_stands() -> None:
    once = marked(mark(1, 0, "missing"))
    assert (once.subject_id, once.mark, numbers(once.words), once.is_disagreed) == (CHILD, MISSING, [1], False)
    assert marked(mark(1, 0, "missing"), mark(1, 0, "missing")) == once


@pytest.mark.parametrize(("first", "second"), list(permutations(["present", "missing", "elsewhere"], 2)))
def test_of_one_desk_the_later_word_counts_however_soon_it_comes(first: str, second: str) -> None:
    found = marked(mark(1, 0, first), mark(2, 0, second))
    assert (found.mark, found.is_disagreed, numbers(found.words)) == (second, False, [1, 2])


@pytest.mark.parametrize("said", ["present", "missing", "elsewhere"])
def test_two_desks_that_agree_corroborate_each_other(said: str) -> None:
    found = marked(mark(1, 0, said, "A"), mark(2, 3, said, "B"))
    assert (found.mark, found.is_disagreed, [word.device_id for word in found.words]) == (said, False, ["A", "B"])


@pytest.mark.parametrize("said", ["present", "elsewhere"])
def test_who_was_missing_and_is_surely_later_found_by_another_desk_is_found(said: str) -> None:
    found = marked(mark(1, 0, "missing", "A"), mark(2, 1, said, "B"))
    assert (found.mark, found.is_disagreed) == (said, True)


@pytest.mark.parametrize("said", ["present", "elsewhere"])
def test_who_is_missing_on_one_desk_is_not_hidden_by_what_another_said_before(said: str) -> None:
    found = marked(mark(2, 1, "missing", "A"), mark(1, 0, said, "B"))
    assert (found.mark, found.is_disagreed) == (MISSING, True)


def test_later_by_less_than_the_clocks_can_be_wrong_is_not_surely_later() -> None:
    second = 1 / 60
    assert marked(mark(1, 0, "missing", "A"), mark(2, 4 * second, "present", "B")).mark is MISSING
    assert marked(mark(1, 0, "missing", "A"), mark(2, 4.001 * second, "present", "B")).mark is PRESENT
    unsure = mark(2, 60 * second, "present", "B", clock_error_ms=56_000)
    assert marked(mark(1, 0, "missing", "A"), unsure).mark is MISSING
    sure = mark(2, 60 * second, "present", "B", clock_error_ms=55_000)
    assert marked(mark(1, 0, "missing", "A"), sure).mark is PRESENT
    vague = mark(1, 0, "missing", "A", clock_error_ms=60_000)
    assert marked(vague, mark(2, 1, "present", "B")).mark is MISSING
    nonsense = mark(2, 1 * second, "present", "B", clock_error_ms=-60_000)
    assert marked(mark(1, 0, "missing", "A"), nonsense).mark is MISSING


@pytest.mark.parametrize(("one", "other"), [(True, False), (False, True)])
def test_a_clock_that_is_doubted_cannot_say_that_another_desk_found_somebody_later(one: bool, other: bool) -> None:
    missing = mark(1, 0, "missing", "A", clock_suspect=one)
    assert marked(missing, mark(2, 60, "present", "B", clock_suspect=other)).mark is MISSING
    assert marked(missing, mark(3, 60, "present", "A", clock_suspect=other)).mark is PRESENT


def test_a_desk_that_was_answered_and_says_missing_again_is_heard() -> None:
    facts = [mark(1, 0, "missing", "A"), mark(2, 5, "present", "B"), mark(3, 6, "missing", "A")]
    assert marked(*facts[:2]).mark is PRESENT
    assert marked(*facts).mark is MISSING
    assert marked(*facts, mark(4, 10, "present", "C")).mark is PRESENT


def test_present_and_elsewhere_on_two_desks_is_the_last_word_of_both() -> None:
    found = marked(mark(1, 0, "present", "A"), mark(2, 1, "elsewhere", "B"))
    assert (found.mark, found.is_disagreed) == (ELSEWHERE, True)
    assert marked(mark(1, 2, "present", "A"), mark(2, 1, "elsewhere", "B")).mark is PRESENT


def test_a_mark_counts_before_the_start_and_after_the_end() -> None:
    found = merged(mark(1, -1, "missing"), start(2, 0), end(3, 10), mark(4, 30, "present"))
    assert [(one.mark, numbers(one.words)) for one in found.marks] == [(PRESENT, [1, 4])]


def test_a_voided_mark_does_not_count() -> None:
    assert marked(mark(1, 0, "missing"), mark(2, 1, "present"), void(3, 9, 2)).mark is MISSING
    assert merged(mark(1, 0, "missing"), void(2, 9, 1)).marks == ()


def test_a_mark_counts_as_of_the_time_it_was_corrected_to() -> None:
    facts = [mark(1, 10, "missing", "A"), mark(2, 5, "present", "B")]
    assert marked(*facts).mark is MISSING
    assert marked(*facts, correct(3, 60, 2, to=12)).mark is PRESENT


def test_the_first_start_and_the_first_end_count_and_others_corroborate() -> None:
    found = merged(start(1, 0, "A"), start(2, 1, "B"), end(3, 20, "B"), end(4, 10, "A"), start(5, 30, "C"))
    assert (numbers(found.starts), numbers(found.ends)) == ([1, 2, 5], [4, 3])
    assert (found.started_at_ms, found.ended_at_ms) == (at_ms(0), at_ms(10))


def test_a_roll_call_whose_start_has_not_come_is_not_started_and_its_marks_count() -> None:
    facts = [mark(1, 5, "present"), mark(2, 3, "missing", child_id="", person_id=ANN)]
    found = merged(*facts)
    assert (found.started_at_ms, found.ended_at_ms, found.room_id) == (None, None, "")
    assert [(one.subject_id, one.mark) for one in found.marks] == [(ANN, MISSING), (CHILD, PRESENT)]
    assert begun_at_ms(facts) == at_ms(3)
    assert begun_at_ms([*facts, start(3, 4)]) == at_ms(4)
    assert begun_at_ms([start(1, 0), void(2, 1, 1)]) is None


def test_who_is_expected_and_not_marked_is_neither_missing_nor_present() -> None:
    found = merged(start(1, 0), mark(2, 1, "present"), expected=[BOB, ANN])
    assert (found.unmarked, found.unexpected) == ((ANN, BOB), (CHILD,))
    assert merged(start(1, 0), mark(2, 1, "present"), expected=[CHILD]).unexpected == ()


def test_a_roll_call_of_a_room_says_which() -> None:
    facts = [start(1, 0, room_id=FOXES), start(2, 1, room_id=BEARS)]
    assert merged(*facts).room_id == room_of(facts) == FOXES
    assert room_of([mark(1, 0, "present", room_id=FOXES)]) == ""


def test_what_else_names_the_roll_call_says_nothing_in_it() -> None:
    finding = ":".join(("time_uncertain", uuid_of(1)))
    answer = told(
        2, EventKind.REVIEW_RESOLVED, 5, child_id="", rollcall_id=ROLL, finding=finding, answer="left",
        left_at_ms=at_ms(3),
    )  # fmt: skip
    assert merged(start(1, 0), answer) == merged(start(1, 0))


# -- headcounts


def counted(number: int, minute: float, people: int, desk: str = "A", room: str = FOXES) -> Fact:
    return told(number, EventKind.HEADCOUNT, minute, desk, child_id="", headcount=people, room_id=room)


def test_of_the_headcounts_of_a_room_the_last_one_counts_with_its_desk() -> None:
    facts = [counted(3, 20, 7, "B"), counted(1, 0, 5), counted(2, 10, 0, room=""), counted(4, 5, 9, room=BEARS)]
    found = merge_headcounts([*facts, counted(1, 0, 5)])
    assert [(room.room_id, room.latest.event.headcount, room.latest.device_id) for room in found] == [
        ("", 0, "A"), (FOXES, 7, "B"), (BEARS, 9, "A"),
    ]  # fmt: skip
    assert numbers(found[1].counts) == [1, 3]
    assert found[0].latest.event.subject_id == CENTER


def test_a_voided_headcount_does_not_count_and_a_corrected_one_counts_where_it_was() -> None:
    fixed = told(
        3, EventKind.CORRECT, 9, child_id="", room_id=FOXES, supersedes=(1,),
        corrected=Correction(room_id=BEARS, headcount=4),
    )  # fmt: skip
    gone = told(4, EventKind.VOID, 9, child_id="", room_id=FOXES, supersedes=(2,))
    found = merge_headcounts([counted(1, 0, 5), counted(2, 1, 6), fixed, gone])
    assert [(room.room_id, room.latest.event.headcount) for room in found] == [(BEARS, 4)]
    assert merge_headcounts([counted(2, 1, 6), gone, told(5, EventKind.CHECK_IN, 0)]) == ()


# -- laws


def some_facts() -> st.SearchStrategy[list[Fact]]:
    """Up to nine facts of one roll-call, close enough to collide; voids name any of them."""
    said = st.sampled_from(["present", "missing", "elsewhere", "start", "end", "void"])
    row = st.tuples(said, st.integers(0, 3), st.sampled_from("ABC"), st.booleans(), st.integers(1, 9))
    return st.lists(row, max_size=9).map(
        lambda rows: [_fact(number, *said) for number, said in enumerate(rows, start=1)]
    )


def _fact(number: int, said: str, twenty_seconds: int, desk: str, is_suspect: bool, name: int) -> Fact:
    minute = twenty_seconds / 3
    match said:
        case "start":
            return start(number, minute, desk)
        case "end":
            return end(number, minute, desk)
        case "void":
            return void(number, minute, name + 10 if name == number else name)
    return mark(number, minute, said, desk, clock_suspect=is_suspect)


@given(some_facts(), st.data())
def test_a_merge_depends_neither_on_order_nor_on_repeats(facts: list[Fact], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=4)) if facts else []
    assert merged(*data.draw(st.permutations([*facts, *repeats]))) == merged(*facts)


@given(some_facts())
def test_nobody_whom_a_desk_last_called_missing_is_hidden_by_what_was_not_later(facts: list[Fact]) -> None:
    for found in merged(*facts).marks:
        last = found.words[-1]
        if last.event.mark == MISSING:
            assert found.mark is MISSING
        if found.mark is not MISSING:
            assert found.mark == [word for word in found.words if word.event.mark != MISSING][-1].event.mark


@given(some_facts(), st.integers(0, 3), st.sampled_from("ABCD"))
def test_one_more_word_that_somebody_is_missing_never_finds_them(facts: list[Fact], minute: int, desk: str) -> None:
    before = {found.subject_id: found.mark for found in merged(*facts).marks}
    after = merged(*facts, mark(0x60, minute, "missing", desk)).marks
    assert all(found.mark is MISSING for found in after if before.get(found.subject_id) is MISSING)


@given(some_facts())
def test_everybody_expected_is_marked_or_unmarked_and_nobody_both(facts: list[Fact]) -> None:
    expected = {CHILD, ANN}
    found = merged(*facts, expected=sorted(expected))
    known = {one.subject_id for one in found.marks}
    assert known | set(found.unmarked) == expected | known
    assert not known & set(found.unmarked)
    assert set(found.unexpected) == known - expected
