"""How presence is decided: one test for each row of the table, then what holds for any facts at all."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.attendance import (
    CLOCK_TOLERANCE_MS,
    ChildAttendance,
    ChildFold,
    EventKind,
    Fact,
    FindingKind,
    corrected_at_ms,
    decode_event,
    encode_event,
    fold,
)
from tests.unit.sync.builders import MINUTE_MS, NINE_MS, came, event, fact, left, uuid_of

DESKS = ("A", "B", "C")


def kinds(attendance: ChildAttendance) -> list[FindingKind]:
    return [finding.kind for finding in attendance.findings]


def test_the_same_event_twice_counts_once() -> None:
    again = came(1, 0, desk="B")
    attendance = fold([came(1, 0), again, came(1, 0)])
    assert len(attendance.stays) == 1
    assert attendance.stays[0].corroborated_by == ()
    assert not attendance.findings


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
        ("kind", "room_move"),
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


# -- what holds for any facts


@st.composite
def some_facts(draw: st.DrawFn, desks: tuple[str, ...] = DESKS) -> list[Fact]:
    """Up to ten facts of one child, close enough in time to collide."""
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from(EventKind),
                st.integers(0, 60),
                st.sampled_from(desks),
                st.sampled_from(["", "Ann", "Bob"]),
                st.sampled_from([None, 0, 90_000, -300_000]),
            ),
            max_size=10,
        )
    )
    return [
        fact(event(number, kind=kind, minute=minute, adult=adult, offset_ms=offset_ms), desk)
        for number, (kind, minute, desk, adult, offset_ms) in enumerate(drawn, start=1)
    ]


@given(some_facts(), st.data())
def test_the_fold_depends_neither_on_order_nor_on_repeats(facts: list[Fact], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=5)) if facts else []
    assert fold(data.draw(st.permutations([*facts, *repeats]))) == fold(facts)


@given(some_facts())
def test_stays_are_ordered_and_never_overlap(facts: list[Fact]) -> None:
    stays = fold(facts).stays
    for stay in stays:
        if stay.started_at_ms is not None and stay.ended_at_ms is not None:
            assert stay.started_at_ms <= stay.ended_at_ms
    for earlier, later in pairwise(stays):
        assert earlier.ended_at_ms is not None, "only the last stay may be open"
        begins_ms = later.started_at_ms if later.started_at_ms is not None else later.ended_at_ms
        assert begins_ms is not None
        assert earlier.ended_at_ms <= begins_ms


@given(some_facts())
def test_no_question_is_asked_twice_and_each_is_about_known_events(facts: list[Fact]) -> None:
    findings = fold(facts).findings
    assert len(findings) == len(set(findings))
    known = {each.event.event_id for each in facts}
    assert all(set(finding.event_ids) <= known for finding in findings)


@given(some_facts())
def test_every_event_is_used_at_most_once_as_a_beginning_or_an_end(facts: list[Fact]) -> None:
    attendance = fold(facts)
    begun = [stay.check_in.event.event_id for stay in attendance.stays if stay.check_in]
    ended = [stay.check_out.event.event_id for stay in attendance.stays if stay.check_out]
    assert len(begun) == len(set(begun))
    assert len(ended) == len(set(ended))


@given(some_facts(desks=("A", "B")), st.integers(0, 60))
@example([came(1, 10, "A"), came(2, 30, "B"), left(3, 40, "A")], 5)
@example([came(1, 20, "A"), came(2, 35, "B"), left(3, 40, "A")], 5)
def test_a_merge_of_another_desks_check_in_alone_never_turns_in_into_out(facts: list[Fact], minute: int) -> None:
    if fold(facts).open_stay is not None:
        assert fold([*facts, came(99, minute, desk="C")]).open_stay is not None


@given(st.lists(st.tuples(st.sampled_from(EventKind), st.integers(0, 600)), max_size=8))
def test_at_one_desk_the_last_word_decides_who_is_in(told: list[tuple[EventKind, int]]) -> None:
    facts = [fact(event(n, kind=kind, minute=minute)) for n, (kind, minute) in enumerate(told, start=1)]
    last = max(facts, key=lambda each: each.order, default=None)
    is_in = last is not None and last.event.kind is EventKind.CHECK_IN
    assert (fold(facts).open_stay is not None) == is_in


@given(some_facts(), st.integers(0, 8))
def test_a_fold_that_goes_on_says_what_a_fold_from_scratch_says(facts: list[Fact], known: int) -> None:
    going_on = ChildFold(facts[:known])
    for index, each in enumerate(facts[known:], start=known):
        before, after = (frozenset(fold(facts[:end]).findings) for end in (index, index + 1))
        assert going_on.add(each) == bool(after - before)


def test_a_fold_that_goes_on_takes_a_fact_twice_as_once() -> None:
    going_on = ChildFold([came(1, 0)])
    assert going_on.add(came(2, 40))
    assert not going_on.add(came(2, 40))
