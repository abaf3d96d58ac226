"""The trail of a stay: what is on it, what each event said first, each change, and what was asked and answered."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.amendments import ACTS
from sync.attendance import ChildAttendance, Correction, EventKind, Fact, FindingKind, fold
from sync.circumstances import Circumstances, Span
from sync.evidence_trail import Part, Step, Told, Trail, id_of_stay, trail_of
from sync.findings import Answer
from sync.stays import Stay
from tests.unit.sync.builders import NINE_MS, at_ms, came, event, fact, left, told, uuid_of

BEES, FOXES = uuid_of(0xF0), uuid_of(0xF1)
MISSED = f"{FindingKind.POSSIBLE_MISSED_CHECK_OUT}:{uuid_of(1)}:{uuid_of(2)}"


def moved(number: int, minute: float, room: str = FOXES) -> Fact:
    return told(number, EventKind.ROOM_MOVE, minute, to_room_id=room)


def void(number: int, minute: float, *names: int) -> Fact:
    return told(number, EventKind.VOID, minute, "M", supersedes=names)


def correct(number: int, minute: float, *names: int, to: float | None = None, **said: Any) -> Fact:
    anew = Correction(occurred_at_ms=None if to is None else at_ms(to), **said)
    return told(number, EventKind.CORRECT, minute, "M", supersedes=names, corrected=anew)


def answer(number: int, minute: float, *names: int, said: str = "so", **more: Any) -> Fact:
    return told(number, EventKind.REVIEW_RESOLVED, minute, "M", supersedes=names, finding=MISSED, answer=said, **more)


def parts(trail: Trail) -> dict[int, Part]:
    """What each event is to the stay, by its number."""
    return {number_of(one.fact): one.part for one in trail.told}


def number_of(one: Fact) -> int:
    return int(one.event.event_id[-4:], 16)


def on(trail: Trail, number: int) -> Told:
    return next(one for one in trail.told if number_of(one.fact) == number)


def changes(trail: Trail, number: int) -> list[tuple[int, bool, bool, tuple[Step, ...]]]:
    """Which act did what to an event: its number, whether it acts, whether it removes, and what it said anew."""
    return [(number_of(one.act), one.acts, one.removes, one.steps) for one in on(trail, number).changes]


# -- what is on it


def test_a_plain_stay_has_its_arrival_its_moves_and_its_departure_in_order() -> None:
    facts = [left(3, 60), moved(2, 30), came(1, 0)]
    trail = trail_of(facts, uuid_of(1))
    assert trail.stay == fold(facts).stays[0]
    assert list(parts(trail).items()) == [(1, Part.BEGAN), (2, Part.MOVED), (3, Part.ENDED)]
    assert [(one.now, one.changes) for one in trail.told] == [(one.fact, ()) for one in trail.told]
    assert trail.questions == ()


def test_who_saw_the_same_corroborates() -> None:
    trail = trail_of([came(1, 0), came(2, 5, "B"), left(3, 60), left(4, 61, "B")], uuid_of(1))
    assert parts(trail) == {1: Part.BEGAN, 2: Part.CORROBORATED, 3: Part.ENDED, 4: Part.CORROBORATED}


def test_a_stay_that_nobody_saw_begin_is_called_by_its_departure() -> None:
    trail = trail_of([left(3, 60)], uuid_of(3))
    assert parts(trail) == {3: Part.ENDED}
    assert trail.stay is not None
    assert id_of_stay(trail.stay) == uuid_of(3)
    assert [(one.kind, one.is_open) for one in trail.questions] == [("check_out_without_check_in", True)]


def test_a_stay_of_no_event_has_no_name() -> None:
    assert id_of_stay(Stay(check_in=None)) == ""


def test_an_open_stay_reaches_to_the_end() -> None:
    assert parts(trail_of([came(1, 0), moved(2, 9_000)], uuid_of(1))) == {1: Part.BEGAN, 2: Part.MOVED}


def test_the_stays_around_are_not_on_it() -> None:
    facts = [came(1, 0), moved(2, 5), left(3, 60), came(4, 120), left(5, 180), came(6, 240), moved(7, 245)]
    assert set(parts(trail_of(facts, uuid_of(1)))) == {1, 2, 3}
    assert set(parts(trail_of(facts, uuid_of(4)))) == {4, 5}
    assert set(parts(trail_of(facts, uuid_of(6)))) == {6, 7}


def test_a_move_in_the_moment_of_the_next_arrival_is_on_the_next_trail_alone() -> None:
    facts = [came(1, 0), left(2, 60), came(3, 120), moved(4, 120)]
    assert set(parts(trail_of(facts, uuid_of(1)))) == {1, 2}
    assert set(parts(trail_of(facts, uuid_of(3)))) == {3, 4}


def test_any_event_of_a_stay_leads_to_it() -> None:
    facts = [came(1, 0), came(2, 5, "B"), moved(3, 30), left(4, 60), came(5, 120)]
    trails = [trail_of(facts, uuid_of(number)) for number in (1, 2, 3, 4)]
    assert trails == [trails[0]] * 4
    assert trail_of(facts, uuid_of(5)) != trails[0]


def test_a_refused_release_and_an_end_that_was_assumed_before_stand_beside() -> None:
    refused, label = told(2, EventKind.RELEASE_REFUSED, 30), told(5, EventKind.LABEL_REPRINTED, 40)
    closed = told(4, EventKind.AUTO_CLOSE, 600)
    trail = trail_of([came(1, 0), refused, label, left(3, 60), closed], uuid_of(1))
    assert parts(trail) == {1: Part.BEGAN, 2: Part.BESIDE, 3: Part.ENDED, 4: Part.BESIDE, 5: Part.BESIDE}


def test_a_move_out_of_the_stay_is_no_part_of_it() -> None:
    trail = trail_of([came(1, 0), left(2, 60), moved(3, 90)], uuid_of(1))
    assert parts(trail)[3] is Part.IN_QUESTION
    assert [(one.kind, one.event_ids) for one in trail.questions] == [
        ("movement_after_departure", (uuid_of(2), uuid_of(3)))
    ]


def test_what_a_question_names_of_another_stay_is_on_it_with_who_acts_upon_it() -> None:
    facts = [
        came(1, 0, "A"),
        came(2, 60, "B"),
        left(3, 90, "A"),
        left(4, 120, "B"),
        told(5, EventKind.CONFIRM, 130, confirms=(2,)),
    ]
    trail = trail_of(facts, uuid_of(1))
    assert parts(trail) == {1: Part.BEGAN, 2: Part.IN_QUESTION, 3: Part.ENDED, 5: Part.ACTED}
    assert [(one.kind, one.is_open, one.is_critical) for one in trail.questions] == [
        ("possible_missed_check_out", True, False),
        ("overlapping_stays", True, False),
    ]


def test_a_second_collector_is_critical() -> None:
    trail = trail_of([came(1, 0), left(2, 60, adult="Ann"), left(3, 61, "B", adult="Bob")], uuid_of(1))
    assert parts(trail)[3] is Part.IN_QUESTION
    assert [one.is_critical for one in trail.questions] == [True]


def test_what_is_known_beside_the_events_is_asked_too() -> None:
    closed = Circumstances(closures=(Span(NINE_MS - 1),))
    trail = trail_of([came(1, 0)], uuid_of(1), closed)
    assert [one.key for one in trail.questions] == [f"presence_on_closure:{uuid_of(1)}"]


def test_an_event_that_is_not_among_the_facts_has_an_empty_trail() -> None:
    assert trail_of([came(1, 0)], uuid_of(2)) == Trail()
    assert trail_of([], uuid_of(2)) == Trail()


def test_of_two_facts_with_one_id_the_first_in_the_folds_order_counts() -> None:
    first, second = came(1, 0), came(1, 5)
    assert trail_of([second, first], uuid_of(1)) == trail_of([first], uuid_of(1))


# -- what no longer counts


def test_a_voided_event_stays_on_it_also_behind_the_departure_that_replaced_it() -> None:
    trail = trail_of([came(1, 0), left(2, 60), left(3, 50), void(4, 70, 2)], uuid_of(1))
    assert parts(trail) == {1: Part.BEGAN, 2: Part.TAKEN_AWAY, 3: Part.ENDED, 4: Part.ACTED}
    assert on(trail, 2).now is None
    assert changes(trail, 2) == [(4, True, True, ())]


def test_a_void_that_was_voided_is_on_it_and_acts_no_more() -> None:
    trail = trail_of([came(1, 0), void(2, 1, 1), void(3, 2, 2)], uuid_of(1))
    assert parts(trail) == {1: Part.BEGAN, 2: Part.ACTED, 3: Part.ACTED}
    assert changes(trail, 1) == [(2, False, True, ())]
    assert changes(trail, 2) == [(3, True, True, ())]
    assert (on(trail, 2).now, on(trail, 3).now) == (None, on(trail, 3).fact)


def test_what_comes_to_no_stay_any_more_has_a_trail_between_the_stays_around_it() -> None:
    facts = [came(1, 0), left(2, 10), came(3, 60), left(4, 90), came(5, 200), void(6, 95, 3, 4)]
    trail = trail_of(facts, uuid_of(3))
    assert trail.stay is None
    assert parts(trail) == {3: Part.TAKEN_AWAY, 4: Part.TAKEN_AWAY, 6: Part.ACTED}
    assert set(parts(trail_of([came(3, 60), void(6, 95, 3)], uuid_of(3)))) == {3, 6}


def test_a_confirmation_that_was_voided_counts_no_more() -> None:
    confirmed = told(2, EventKind.CONFIRM, 5, confirms=(1,))
    trail = trail_of([came(1, 0), confirmed, void(3, 6, 2)], uuid_of(1))
    assert parts(trail) == {1: Part.BEGAN, 2: Part.ACTED, 3: Part.ACTED}
    assert on(trail, 2).now is None


def test_an_event_that_was_corrected_into_another_time_is_on_both_trails() -> None:
    facts = [came(1, 0), moved(2, 30), left(3, 60), came(4, 120), correct(5, 130, 2, to=125)]
    assert parts(trail_of(facts, uuid_of(1)))[2] is Part.BESIDE
    assert parts(trail_of(facts, uuid_of(4)))[2] is Part.MOVED


# -- each change


def test_each_correction_says_from_what_to_what() -> None:
    facts = [
        fact(event(1, minute=0, room_id=BEES)),
        correct(2, 10, 1, to=-30),
        correct(3, 20, 1, to=-45, room_id=FOXES, adult_name="Ann", headcount=2),
    ]
    trail = trail_of(facts, uuid_of(1))
    assert changes(trail, 1) == [
        (2, True, False, (Step("at_ms", at_ms(0), at_ms(-30)),)),
        (3, True, False, (
            Step("at_ms", at_ms(-30), at_ms(-45)), Step("room_id", BEES, FOXES), Step("adult_name", "", "Ann"),
            Step("headcount", None, 2),
        )),
    ]  # fmt: skip
    now = on(trail, 1).now
    assert now is not None
    assert (now.at_ms, now.event.room_id, on(trail, 1).fact.event.room_id) == (at_ms(-45), FOXES, BEES)


def test_a_correction_that_was_voided_says_what_it_wanted_and_changes_nothing() -> None:
    facts = [came(1, 0), correct(2, 10, 1, to=-30), void(3, 15, 2), correct(4, 20, 1, to=-45)]
    assert changes(trail_of(facts, uuid_of(1)), 1) == [
        (2, False, False, (Step("at_ms", at_ms(0), at_ms(-30)),)),
        (4, True, False, (Step("at_ms", at_ms(0), at_ms(-45)),)),
    ]


def test_a_correction_of_a_correction_changes_what_that_one_corrects() -> None:
    facts = [came(1, 0), correct(2, 10, 1, to=-30), correct(3, 20, 2, to=-45)]
    trail = trail_of(facts, uuid_of(1))
    assert [(number, steps[0].after) for number, _, _, steps in changes(trail, 1)] == [(2, at_ms(-30)), (3, at_ms(-45))]
    assert changes(trail, 2) == []


def test_a_clock_that_is_off_is_not_a_change() -> None:
    trail = trail_of([fact(event(1, offset_ms=3_600_000))], uuid_of(1))
    assert on(trail, 1).changes == ()
    assert on(trail, 1).fact.at_ms == NINE_MS + 3_600_000


# -- what was asked and answered


def test_an_answered_question_is_closed_and_keeps_its_answer() -> None:
    facts = [came(1, 0), came(2, 60), left(3, 90), answer(4, 100, said="stayed")]
    trail = trail_of(facts, uuid_of(1))
    (question,) = trail.questions
    assert (question.key, question.is_open, question.event_ids) == (MISSED, False, (uuid_of(1), uuid_of(2)))
    assert question.answers == (Answer(MISSED, "stayed", uuid_of(4)),)
    assert parts(trail)[4] is Part.ACTED


def test_an_answer_that_says_when_the_child_left_ends_the_stay() -> None:
    trail = trail_of([came(1, 0), came(2, 60), answer(3, 100, left_at_ms=at_ms(50))], uuid_of(1))
    assert parts(trail)[3] is Part.ENDED
    assert trail.stay is not None
    assert trail.stay.ended_at_ms == at_ms(50)


def test_an_earlier_answer_was_taken_back_by_the_later_one() -> None:
    trail = trail_of([came(1, 0), came(2, 60), answer(3, 100), answer(4, 110, said="not")], uuid_of(1))
    assert changes(trail, 3) == [(4, True, True, ())]
    assert changes(trail, 4) == []
    assert [one.answer for one in trail.questions[0].answers] == ["not"]


def test_an_answer_that_voids_takes_away_what_it_names() -> None:
    trail = trail_of([came(1, 0), came(2, 60), answer(3, 100, 2)], uuid_of(1))
    assert parts(trail) == {1: Part.BEGAN, 2: Part.TAKEN_AWAY, 3: Part.ACTED}
    assert trail.questions[0].is_open is False


def test_a_confirmation_of_a_void_takes_nothing_back() -> None:
    trail = trail_of(
        [came(1, 0), left(2, 60), void(3, 70, 2), told(4, EventKind.CONFIRM, 80, confirms=(3,))], uuid_of(1)
    )
    assert parts(trail)[4] is Part.ACTED
    assert changes(trail, 3) == []


# -- laws


@st.composite
def some_facts(draw: st.DrawFn) -> list[Fact]:
    kinds = st.sampled_from([
        EventKind.CHECK_IN, EventKind.CHECK_OUT, EventKind.ROOM_MOVE, EventKind.AUTO_CLOSE, EventKind.RELEASE_REFUSED,
        EventKind.LABEL_REPRINTED, EventKind.VOID, EventKind.CORRECT, EventKind.CONFIRM, EventKind.REVIEW_RESOLVED,
    ])  # fmt: skip
    count = draw(st.integers(1, 9))
    return [_drawn(draw, number, draw(kinds), count) for number in range(1, count + 1)]


def _drawn(draw: st.DrawFn, number: int, kind: EventKind, count: int) -> Fact:
    minutes = st.sampled_from([0, 1, 5, 9, 10, 11, 30, 60, 61, 90])
    names = tuple(draw(st.sets(st.integers(1, count).filter(lambda one: one != number), max_size=2)))
    more: dict[str, Any] = {}
    if kind is EventKind.ROOM_MOVE:
        more = {"to_room_id": FOXES}
    elif kind is EventKind.VOID:
        more = {"supersedes": names}
    elif kind is EventKind.CORRECT:
        more = {"supersedes": names, "corrected": Correction(occurred_at_ms=at_ms(draw(minutes)))}
    elif kind is EventKind.CONFIRM:
        more = {"confirms": names, "disputes": draw(st.booleans())}
    elif kind is EventKind.REVIEW_RESOLVED:
        more = {"supersedes": names, "finding": MISSED, "answer": "so"}
    return told(number, kind, draw(minutes), draw(st.sampled_from("AB")), **more)


def trails_of(facts: Iterable[Fact], attendance: ChildAttendance) -> list[Trail]:
    facts = list(facts)
    return [trail_of(facts, id_of_stay(stay)) for stay in attendance.stays]


@settings(max_examples=150, deadline=None)
@given(some_facts(), st.randoms(use_true_random=False))
def test_no_event_of_whoever_had_a_stay_lies_between_the_trails(facts: list[Fact], luck: Any) -> None:
    attendance = fold(facts)
    trails = trails_of(facts, attendance)
    assert [trail.stay for trail in trails] == list(attendance.stays)
    shown = {one.fact.event.event_id for trail in trails for one in trail.told}
    plain = {one.event.event_id for one in facts if one.event.kind not in ACTS | {EventKind.CONFIRM}}
    assert not trails or plain <= shown
    assert trails == trails_of(luck.sample(facts, len(facts)), attendance)


@settings(max_examples=150, deadline=None)
@given(some_facts())
def test_what_is_left_after_all_changes_is_what_counts(facts: list[Fact]) -> None:
    for one in (told_ for number in range(1, len(facts) + 1) for told_ in trail_of(facts, uuid_of(number)).told):
        acting = [change for change in one.changes if change.acts]
        assert (one.now is None) == any(change.removes for change in acting) or one.fact.event.kind in ACTS
        moments = [step.after for change in acting for step in change.steps if step.name == "at_ms"]
        if one.now is not None and moments:
            assert one.now.at_ms == moments[-1]
