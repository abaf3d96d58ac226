"""What holds for any facts at all: order, repeats, overlaps, what a merge can do, and a fold that goes on."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from sync.amendments import amend
from sync.attendance import ChildFold, Correction, EventKind, Fact, Stay, fold
from tests.unit.sync.builders import MINUTE_MS, at_ms, came, event, fact, left, told, uuid_of
from tests.unit.sync.naive_attendance import decide, shown

DESKS = ("A", "B", "C")
COME_AND_GO = (EventKind.CHECK_IN, EventKind.CHECK_OUT)
PRESENCE = (*COME_AND_GO, EventKind.ROOM_MOVE, EventKind.AUTO_CLOSE)
ACTS = (EventKind.VOID, EventKind.CORRECT, EventKind.REVIEW_RESOLVED)
HARMLESS = (
    EventKind.CHECK_IN,
    EventKind.ROOM_MOVE,
    EventKind.CONFIRM,
    EventKind.RELEASE_REFUSED,
    EventKind.LABEL_REPRINTED,
)
FACTS_MAX = 10


def some_facts(
    desks: tuple[str, ...] = DESKS, kinds: tuple[EventKind, ...] = (*PRESENCE, *ACTS)
) -> st.SearchStrategy[list[Fact]]:
    """Up to ten facts of one child, close enough in time to collide; acts name any of them, also one another."""
    number, minute = st.integers(1, FACTS_MAX), st.integers(0, 60)
    adults, offsets_ms = st.sampled_from(["", "Ann", "Bob"]), st.sampled_from([None, 0, 90_000, -300_000])
    details = st.tuples(number, number, minute, st.booleans())
    said = st.tuples(st.sampled_from(kinds), minute, st.sampled_from(desks), adults, offsets_ms, details)
    return st.lists(said, max_size=FACTS_MAX).map(_facts)


def _facts(said: Sequence[tuple[EventKind, int, str, str, int | None, tuple[int, int, int, bool]]]) -> list[Fact]:
    return [
        fact(event(number, kind=kind, minute=minute, adult=adult, offset_ms=offset_ms, **_more(kind, *details)), desk)
        for number, (kind, minute, desk, adult, offset_ms, details) in enumerate(said, start=1)
    ]


def _more(kind: EventKind, one: int, other: int, minute: int, is_so: bool) -> dict[str, Any]:
    """What goes with a kind."""
    names = tuple(sorted({uuid_of(one), uuid_of(other)}))
    match kind:
        case EventKind.CHECK_OUT:
            return {"reason_code": "override"} if is_so else {}
        case EventKind.ROOM_MOVE:
            return {"to_room_id": uuid_of(0xF0 + is_so)}
        case EventKind.VOID:
            return {"supersedes": names}
        case EventKind.CORRECT:
            said = Correction(occurred_at_ms=at_ms(minute)) if is_so else Correction(adult_name="Cid")
            return {"supersedes": names, "corrected": said}
        case EventKind.REVIEW_RESOLVED:
            finding = ":".join(("possible_missed_check_out", *names))
            left_at_ms = at_ms(minute) if is_so else None
            return {"supersedes": names[1:], "finding": finding, "answer": "so_it_was", "left_at_ms": left_at_ms}
    return {}


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


@given(some_facts(desks=("A", "B")), st.integers(0, 60), st.sampled_from(HARMLESS))
@example([came(1, 10, "A"), came(2, 30, "B"), left(3, 40, "A")], 5, EventKind.CHECK_IN)
@example([came(1, 20, "A"), came(2, 35, "B"), left(3, 40, "A")], 5, EventKind.CHECK_IN)
def test_a_merge_of_what_another_desk_saw_never_turns_in_into_out(
    facts: list[Fact], minute: int, kind: EventKind
) -> None:
    """Only a departure, an auto-close, or a person who voids, corrects or answers says that somebody is gone."""
    if fold(facts).open_stay is not None:
        assert fold([*facts, told(99, kind, minute, desk="C")]).open_stay is not None


@given(some_facts(), st.integers(0, 60))
def test_stays_depend_on_what_came_since_an_arrival_that_found_nobody_in_and_on_the_acts(
    facts: list[Fact], minute: int
) -> None:
    """Wherever the events are cut, the stays from the first such arrival on are those of the whole."""
    stays = fold(facts).stays
    ordered = sorted(facts, key=lambda each: each.order)
    counting = {each.event.event_id: each for each in amend(ordered).facts}
    kept = [each for each in facts if _is_act(each) or _is_since(counting.get(each.event.event_id), at_ms(minute))]
    first = next((number for number in range(len(stays)) if _found_nobody_in(stays, number, at_ms(minute))), None)
    if first is not None:
        assert fold(kept).stays[first - len(stays) :] == stays[first:]


def _is_act(each: Fact) -> bool:
    return each.event.kind in ACTS


def _is_since(each: Fact | None, since_ms: int) -> bool:
    return each is not None and each.at_ms >= since_ms


def _found_nobody_in(stays: Sequence[Stay], number: int, since_ms: int) -> bool:
    arrival = stays[number].check_in
    before = stays[number - 1].check_out if number else None
    return arrival is not None and arrival.at_ms >= since_ms and (before is None or before.order < arrival.order)


@given(some_facts(), st.integers(-3, 3))
def test_stays_do_not_depend_on_where_days_begin(facts: list[Fact], hours: int) -> None:
    shift_ms = hours * 7 * 60 * MINUTE_MS
    later = fold([_shifted(each, shift_ms) for each in facts])
    plain = fold(facts)
    assert [(stay.started_at_ms, stay.ended_at_ms) for stay in later.stays] == [
        tuple(None if ms is None else ms + shift_ms for ms in (stay.started_at_ms, stay.ended_at_ms))
        for stay in plain.stays
    ]
    assert later.findings == plain.findings


def _shifted(each: Fact, shift_ms: int) -> Fact:
    replace = msgspec.structs.replace
    happened, said = each.event, each.event.corrected
    if said is not None and said.occurred_at_ms is not None:
        said = replace(said, occurred_at_ms=said.occurred_at_ms + shift_ms)
    shifted = replace(
        happened,
        occurred_at_ms=happened.occurred_at_ms + shift_ms,
        recorded_at_ms=happened.recorded_at_ms + shift_ms,
        corrected=said,
        left_at_ms=None if happened.left_at_ms is None else happened.left_at_ms + shift_ms,
    )
    return replace(each, event=shifted)


@given(st.lists(st.tuples(st.sampled_from(COME_AND_GO), st.integers(0, 600)), max_size=8))
def test_at_one_desk_the_last_word_decides_who_is_in(said: list[tuple[EventKind, int]]) -> None:
    facts = [fact(event(n, kind=kind, minute=minute)) for n, (kind, minute) in enumerate(said, start=1)]
    last = max(facts, key=lambda each: each.order, default=None)
    is_in = last is not None and last.event.kind is EventKind.CHECK_IN
    assert (fold(facts).open_stay is not None) == is_in


@given(some_facts(), st.integers(0, 8))
def test_a_fold_that_goes_on_says_what_a_fold_from_scratch_says(facts: list[Fact], known: int) -> None:
    going_on = ChildFold(facts[:known])
    for index, each in enumerate(facts[known:], start=known):
        before, after = (frozenset(fold(facts[:end]).findings) for end in (index, index + 1))
        assert going_on.add(each) == bool(after - before)
        assert tuple(going_on._reducer.findings) == fold(facts[: index + 1]).findings


def test_a_fold_that_goes_on_takes_a_fact_twice_as_once() -> None:
    going_on = ChildFold([came(1, 0)])
    assert going_on.add(came(2, 40))
    assert not going_on.add(came(2, 40))


@given(some_facts())
def test_a_second_reducer_that_shares_no_code_says_the_same(facts: list[Fact]) -> None:
    assert shown(fold(facts)) == decide(facts)


def test_a_fold_that_goes_on_knows_that_a_void_came_before_what_it_names() -> None:
    going_on = ChildFold([came(1, 0), told(2, EventKind.VOID, 1, supersedes=(3,))])
    assert not going_on.add(came(3, 40))
    assert going_on.add(came(4, 50))
