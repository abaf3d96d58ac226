"""Who was in at a moment as known at another: a test for each row, and the laws of the two axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.attendance import Correction, EventKind, Fact, FindingKind, fold
from sync.presence import (
    UNSEEN_MAX_MS,
    Group,
    Presence,
    Present,
    Received,
    arrived_later,
    presence_at,
    subjects_known,
)
from tests.unit.sync.builders import CHILD, at_ms, came, event, fact, left, told, uuid_of

FOXES, BEARS, ANN, BOB = (uuid_of(number) for number in (0xF0, 0xF1, 0xAA, 0xBB))
LATER = 10_000


def seen(
    facts: Sequence[Fact], at: float, *, known_at: float = LATER, received: Mapping[int, float] | None = None
) -> Presence:
    """Who was in at that minute; facts arrive when they happen, unless `received` says when, by number."""
    when = received or {}
    arrived = [Received(one, at_ms(when[number]) if (number := number_of(one)) in when else one.at_ms) for one in facts]
    return presence_at(subjects_known(arrived, at_ms(known_at)), at_ms(at))


def number_of(one: Fact) -> int:
    return int(one.event.event_id[-4:], 16)


def numbers(present: Present) -> list[int]:
    return [int(event_id[-4:], 16) for event_id in present.event_ids]


def is_in(presence: Presence) -> bool:
    return bool(presence.certain)


def test_a_stay_counts_from_its_beginning_and_not_in_the_millisecond_of_its_end() -> None:
    facts = [came(1, 0), left(2, 60)]
    assert [is_in(seen(facts, minute)) for minute in (-0.001, 0, 59.999, 60)] == [False, True, True, False]
    (present,) = seen(facts, 30).certain
    assert (present.subject_id, present.group, present.since_ms, present.until_ms) == (
        CHILD,
        Group.CHILD,
        at_ms(0),
        at_ms(60),
    )
    assert (present.disputed, present.assumed, present.findings) == (False, False, ())
    assert numbers(present) == [1, 2]


def test_who_has_not_left_is_in_with_no_end() -> None:
    (present,) = seen([came(1, 0)], 600).certain
    assert present.until_ms is None


def test_what_was_received_later_is_not_there() -> None:
    facts, received = [came(1, 0)], {1: 240}
    assert not is_in(seen(facts, 60, known_at=239.999, received=received))
    assert is_in(seen(facts, 60, known_at=240, received=received))


def test_a_departure_that_is_not_known_yet_leaves_the_stay_open() -> None:
    facts, received = [came(1, 0), left(2, 30)], {2: 240}
    assert is_in(seen(facts, 60, known_at=120, received=received))
    assert not is_in(seen(facts, 60, received=received))


def test_a_departure_after_the_moment_leaves_who_was_in_in() -> None:
    (present,) = seen([came(1, 0), left(2, 60)], 30, known_at=30).certain
    assert (present.until_ms, numbers(present)) == (None, [1])


def test_a_void_acts_from_when_it_was_received_whenever_it_was_recorded() -> None:
    void = told(2, EventKind.VOID, 600, supersedes=(1,))
    facts, received = [came(1, 0), void], {2: 700}
    assert is_in(seen(facts, 60, known_at=699, received=received))
    assert not is_in(seen(facts, 60, known_at=700, received=received))


def test_a_correction_moves_an_event_and_stands_behind_it() -> None:
    fixed = told(2, EventKind.CORRECT, 600, supersedes=(1,), corrected=Correction(occurred_at_ms=at_ms(60)))
    other = told(3, EventKind.CORRECT, 600, supersedes=(9,), corrected=Correction(adult_name="Ann"))
    facts = [came(1, 0), fixed, other]
    assert is_in(seen(facts, 30, known_at=599))
    assert not is_in(seen(facts, 30))
    (present,) = seen(facts, 90).certain
    assert (present.since_ms, numbers(present)) == (at_ms(60), [1, 2])


def test_an_answer_that_says_when_somebody_left_ends_the_stay() -> None:
    missed = ":".join((FindingKind.POSSIBLE_MISSED_CHECK_OUT, uuid_of(1), uuid_of(2)))
    so = told(3, EventKind.REVIEW_RESOLVED, 600, finding=missed, answer="left", left_at_ms=at_ms(100))
    facts = [came(1, 0), came(2, 60), so]
    assert is_in(seen(facts, 120, known_at=599))
    assert not is_in(seen(facts, 120))
    (present,) = seen(facts, 90).certain
    assert numbers(present) == [1, 3]


def test_who_is_assumed_to_have_gone_was_in_until_then_and_a_real_departure_says_until_when() -> None:
    closed, really = told(2, EventKind.AUTO_CLOSE, 600), left(3, 630)
    (present,) = seen([came(1, 0), closed], 599).certain
    assert (present.assumed, present.until_ms) == (True, at_ms(600))
    assert not is_in(seen([came(1, 0), closed], 615))
    (present,) = seen([came(1, 0), closed, really], 615).certain
    assert (present.assumed, present.until_ms) == (False, at_ms(630))
    facts, received = [came(1, 0), closed, left(3, 540)], {3: 900}
    assert is_in(seen(facts, 570, known_at=899, received=received))
    assert not is_in(seen(facts, 570, received=received))


def test_what_happened_later_cuts_the_stay_that_covers_the_moment() -> None:
    facts = [came(1, 0, "A"), came(2, 60, "B"), left(3, 90, "A")]
    (before,) = seen(facts, 80, known_at=80).certain
    assert (before.since_ms, before.disputed, before.findings) == (
        at_ms(0), False, (FindingKind.POSSIBLE_MISSED_CHECK_OUT,),
    )  # fmt: skip
    (after,) = seen(facts, 80).certain
    assert (after.since_ms, after.disputed) == (at_ms(60), True)
    assert FindingKind.OVERLAPPING_STAYS in after.findings
    assert seen(facts, 95).certain == (after,)


def test_who_left_and_was_not_seen_to_come_was_perhaps_in_for_a_day_of_care() -> None:
    facts = [came(1, 0), left(2, 60), left(3, 90)]
    assert seen(facts, 75).certain == ()
    (present,) = seen(facts, 75).perhaps
    assert (present.since_ms, present.until_ms, present.disputed, numbers(present)) == (None, at_ms(90), True, [3])
    assert not seen(facts, 90).perhaps
    alone, hours = [left(3, 0)], UNSEEN_MAX_MS / 60_000
    assert seen(alone, -hours).perhaps
    assert not seen(alone, -hours - 0.001).perhaps


def test_the_room_is_that_of_the_last_move_by_then() -> None:
    facts = [
        told(1, EventKind.CHECK_IN, 0, room_id=FOXES),
        told(2, EventKind.ROOM_MOVE, 30, to_room_id=BEARS),
        left(3, 60),
    ]
    (before,), (after,) = seen(facts, 29).certain, seen(facts, 30).certain
    assert (before.room_id, before.room_since_ms, numbers(before)) == (FOXES, at_ms(0), [1, 3])
    assert (after.room_id, after.room_since_ms, numbers(after)) == (BEARS, at_ms(30), [1, 2, 3])
    (nowhere,) = seen([came(1, 0)], 1).certain
    assert (nowhere.room_id, nowhere.room_since_ms) == ("", None)


def test_who_saw_the_same_stands_behind_it_and_another_stay_does_not() -> None:
    (present,) = seen([came(1, 0), left(2, 60), came(3, 120), came(4, 121, "B")], 130).certain
    assert numbers(present) == [3, 4]


def grown_up(number: int, kind: EventKind, minute: float, who: str, **more: str) -> Fact:
    return told(number, kind, minute, child_id="", person_id=who, **more)


def test_staff_and_visitors_are_in_by_the_same_fold() -> None:
    facts = [
        grown_up(1, EventKind.STAFF_IN, 0, ANN, room_id=FOXES),
        grown_up(2, EventKind.STAFF_MOVE, 20, ANN, to_room_id=BEARS),
        grown_up(3, EventKind.VISITOR_IN, 10, BOB, person_name="Bob Builder"),
        grown_up(4, EventKind.VISITOR_OUT, 40, BOB),
        came(5, 0),
    ]
    found = {present.subject_id: present for present in seen(facts, 30).certain}
    assert {key: present.group for key, present in found.items()} == {
        ANN: Group.STAFF, BOB: Group.VISITOR, CHILD: Group.CHILD,
    }  # fmt: skip
    assert (found[ANN].room_id, found[ANN].name) == (BEARS, "")
    assert found[BOB].name == "Bob Builder"
    assert [present.subject_id for present in seen(facts, 50).certain] == [ANN, CHILD]


def test_a_child_who_is_not_on_file_is_in_under_the_name_it_was_given() -> None:
    (present,) = seen([told(1, EventKind.CHECK_IN, 0, provisional_name="Little Max")], 1).certain
    assert (present.name, present.findings) == ("Little Max", (FindingKind.UNKNOWN_REFERENCE,))


@pytest.mark.parametrize(
    ("kind", "name", "group"),
    [(EventKind.VISITOR_OUT, "Bob", Group.VISITOR), (EventKind.STAFF_OUT, "", Group.STAFF)],
)
def test_a_grown_up_whom_only_an_answer_lets_go_is_what_the_other_events_say(
    kind: EventKind, name: str, group: Group
) -> None:
    wrong = grown_up(1, kind, 60, BOB, person_name=name)
    finding = ":".join((FindingKind.CHECK_OUT_WITHOUT_CHECK_IN, uuid_of(1)))
    so = told(
        2, EventKind.REVIEW_RESOLVED, 90, child_id="", person_id=BOB, supersedes=(1,), finding=finding, answer="left",
        left_at_ms=at_ms(50),
    )  # fmt: skip
    (present,) = seen([wrong, so], 40).perhaps
    assert (present.group, present.until_ms) == (group, at_ms(50))


def test_roll_calls_and_headcounts_are_nobody_s_presence() -> None:
    marked = told(1, EventKind.ROLLCALL_MARK, 0, rollcall_id=BOB, mark="present")
    counted = told(2, EventKind.HEADCOUNT, 0, child_id="", headcount=3)
    refused = told(3, EventKind.RELEASE_REFUSED, 0)
    assert seen([marked, counted, refused], 1) == Presence()


def test_what_came_in_later_is_counted_by_its_desk_when_it_bears_on_the_moment() -> None:
    void = told(3, EventKind.VOID, 90, "B", supersedes=(1,))
    received = [
        Received(came(1, 0, "A"), at_ms(240)),
        Received(came(1, 0, "A"), at_ms(300)),
        Received(left(2, 90, "A"), at_ms(240)),
        Received(void, at_ms(240)),
        Received(came(4, 10, "C"), at_ms(11)),
    ]
    counted = {
        minute: arrived_later(received, at_ms=at_ms(60), known_at_ms=at_ms(minute)) for minute in (239, 240, 241)
    }
    assert counted == {239: {"A": 1, "B": 1}, 240: {}, 241: {}}


# -- laws

KINDS = (EventKind.CHECK_IN, EventKind.CHECK_OUT, EventKind.ROOM_MOVE, EventKind.AUTO_CLOSE, EventKind.VOID)


def some_received() -> st.SearchStrategy[list[Received]]:
    minute = st.integers(0, 60)
    said = st.tuples(st.sampled_from(KINDS), minute, minute, st.sampled_from("AB"), st.integers(1, 8))
    return st.lists(said, max_size=8).map(
        lambda rows: [
            Received(
                fact(event(number, kind=kind, minute=happened, **_more(kind, named)), desk), at_ms(happened + delay)
            )
            for number, (kind, happened, delay, desk, named) in enumerate(rows, start=1)
        ]
    )


def _more(kind: EventKind, named: int) -> dict[str, Any]:
    if kind is EventKind.VOID:
        return {"supersedes": (uuid_of(named),)}
    return {"to_room_id": FOXES} if kind is EventKind.ROOM_MOVE else {}


@given(some_received(), st.integers(0, 60), st.integers(0, 120), st.data())
def test_the_answer_depends_neither_on_order_nor_on_repeats_nor_on_what_came_later(
    received: list[Received], at: int, known_at: int, data: st.DataObject
) -> None:
    answer = presence_at(subjects_known(received, at_ms(known_at)), at_ms(at))
    repeats = data.draw(st.lists(st.sampled_from(received), max_size=3)) if received else []
    shuffled = data.draw(st.permutations([*received, *repeats]))
    assert presence_at(subjects_known(shuffled, at_ms(known_at)), at_ms(at)) == answer
    known = [one for one in received if one.received_at_ms <= at_ms(known_at)]
    assert presence_at(subjects_known(known, at_ms(LATER)), at_ms(at)) == answer


@given(some_received(), st.integers(0, 130))
def test_at_the_end_whoever_the_fold_leaves_in_is_in(received: list[Received], known_at: int) -> None:
    known = [one.fact for one in received if one.received_at_ms <= at_ms(known_at)]
    found = presence_at(subjects_known(received, at_ms(known_at)), at_ms(LATER))
    assert is_in(found) is (fold(known).open_stay is not None)


@given(some_received(), st.integers(0, 60))
def test_the_answer_is_the_stay_of_the_fold_that_covers_the_moment(received: list[Received], at: int) -> None:
    stays = fold([one.fact for one in received]).stays
    covering = [
        stay.started_at_ms
        for stay in stays
        if stay.started_at_ms is not None
        and stay.started_at_ms <= at_ms(at)
        and (stay.ended_at_ms is None or at_ms(at) < stay.ended_at_ms)
    ]
    found = presence_at(subjects_known(received, at_ms(LATER)), at_ms(at))
    assert [present.since_ms for present in found.certain] == covering
    assert len(found.certain) + len(found.perhaps) <= 1
