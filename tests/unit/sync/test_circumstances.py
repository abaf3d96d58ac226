"""What is found in one event by what is known beside it: the edges of each rule."""

from typing import Any

import msgspec
import pytest

from sync.attendance import fold
from sync.attendance_events import OVERRIDE, Correction, EventKind, Fact
from sync.circumstances import (
    AHEAD_MS,
    NOTHING_KNOWN,
    Circumstances,
    PeriodLock,
    Span,
    is_override,
    judge,
    judge_act,
    speaks_for_itself,
)
from sync.findings import Finding, FindingKind
from tests.unit.sync.builders import CHILD, NINE_MS, at_ms, came, event, fact, told, uuid_of

ANN, BOB = uuid_of(0xAA), uuid_of(0xAB)
HOUR = Span(NINE_MS, at_ms(60))
EARLIER = Span(at_ms(-120), at_ms(-60))


def collected(minute: float, **more: Any) -> Fact:
    return told(1, EventKind.CHECK_OUT, minute, **{"adult_id": ANN, **more})


def stale_since(released: Fact, known: Circumstances) -> int | None:
    found = {finding.kind: finding.since_ms for finding in judge(released, known)}
    return found.get(FindingKind.RELEASED_ON_STALE_AUTHORISATION)


def test_a_span_holds_its_first_millisecond_and_not_its_last() -> None:
    assert [HOUR.holds(NINE_MS + ms) for ms in (-1, 0, 3_599_999, 3_600_000)] == [False, True, True, False]
    assert Span(NINE_MS).holds(2**62)


@pytest.mark.parametrize(
    ("known", "minute", "since_ms"),
    [
        (NOTHING_KNOWN, 0, None),
        (Circumstances(may_collect={ANN: (HOUR,)}), 0, None),
        (Circumstances(may_collect={ANN: (HOUR, EARLIER)}), 60, at_ms(60)),
        (Circumstances(may_collect={ANN: (HOUR, EARLIER)}), -1, at_ms(-60)),
        (Circumstances(may_collect={ANN: (HOUR, Span(at_ms(90)))}), -1, 0),
        (Circumstances(may_collect={ANN: ()}), 0, 0),
        (Circumstances(may_collect={BOB: ()}), 0, None),
        (Circumstances(may_collect={ANN: (HOUR,)}, must_not_collect={ANN: (Span(at_ms(5)),)}), 6, at_ms(5)),
        (Circumstances(may_collect={ANN: (HOUR,)}, must_not_collect={ANN: (Span(at_ms(5)),)}), 4, None),
        (Circumstances(must_not_collect={ANN: (Span(at_ms(5)), Span(at_ms(3)))}), 6, at_ms(3)),
    ],
)
def test_who_must_not_collect_wins_over_who_may(known: Circumstances, minute: float, since_ms: int | None) -> None:
    assert stale_since(collected(minute), known) == since_ms


def test_only_a_release_to_somebody_on_file_can_be_stale() -> None:
    known = Circumstances(must_not_collect={ANN: (HOUR,), "": (HOUR,)})
    assert stale_since(told(1, EventKind.CHECK_IN, 0, adult_id=ANN), known) is None
    assert stale_since(told(1, EventKind.CHECK_OUT, 0), known) is None


def test_a_departure_that_an_answer_tells_of_is_judged_as_a_release_alone() -> None:
    known = Circumstances(must_not_collect={ANN: (HOUR,)}, revoked_at_ms={"": 0}, enrolled_from_ms=at_ms(1))
    told_of = msgspec.structs.replace(collected(0, answer="left"), device_id="")
    assert [finding.kind for finding in judge(told_of, known)] == [FindingKind.RELEASED_ON_STALE_AUTHORISATION]


def test_a_release_that_was_overridden_is_raised_whatever_else_is_known() -> None:
    forced = collected(0, reason_code=OVERRIDE, reason="she is the aunt")
    raised = Finding(FindingKind.RELEASED_BY_OVERRIDE, (uuid_of(1),))
    assert is_override(forced.event)
    assert speaks_for_itself(forced.event)
    assert list(judge(forced, NOTHING_KNOWN)) == [raised]
    blocked = judge(forced, Circumstances(must_not_collect={ANN: (HOUR,)}))
    assert [one.kind for one in blocked] == [FindingKind.RELEASED_ON_STALE_AUTHORISATION, raised.kind]
    refused = told(1, EventKind.RELEASE_REFUSED, 0, reason_code=OVERRIDE)
    others = (collected(0), collected(0, reason_code="undo"), refused)
    assert not any(is_override(one.event) or list(judge(one, NOTHING_KNOWN)) for one in others)


def test_only_what_takes_an_override_back_lets_it_be_raised_no_more() -> None:
    facts = [came(2, -60), collected(0, reason_code=OVERRIDE)]
    assert [one.kind for one in fold(facts).findings] == [FindingKind.RELEASED_BY_OVERRIDE]
    assert fold([*facts, told(3, EventKind.VOID, 1, supersedes=(1,))]).findings == ()
    corrected = fold([*facts, told(3, EventKind.CORRECT, 9, supersedes=(1,), corrected=Correction(adult_name="Bo"))])
    assert [one.kind for one in corrected.findings] == [FindingKind.RELEASED_BY_OVERRIDE], "another name hides nothing"


@pytest.mark.parametrize(("ahead_ms", "is_found"), [(AHEAD_MS, False), (AHEAD_MS + 1, True)])
def test_a_time_that_was_typed_ahead_of_the_clock_is_in_the_future(ahead_ms: int, is_found: bool) -> None:
    typed = msgspec.structs.replace(event(1), recorded_at_ms=NINE_MS - ahead_ms)
    assert speaks_for_itself(typed) == is_found
    assert bool(list(judge(fact(typed), NOTHING_KNOWN))) == is_found


@pytest.mark.parametrize(("late_ms", "is_found"), [(AHEAD_MS, False), (AHEAD_MS + 1, True)])
def test_an_event_that_the_server_got_before_it_happened_is_in_the_future(late_ms: int, is_found: bool) -> None:
    known = Circumstances(received_at_ms={uuid_of(1): NINE_MS - late_ms})
    assert bool(list(judge(came(1, 0), known))) == is_found


def test_a_time_that_a_person_typed_is_believed_whatever_the_clock() -> None:
    known = Circumstances(wrong_clocks={"A": (Span(0),)})
    assert list(judge(came(1, 0), known)) == [Finding(FindingKind.TIME_UNCERTAIN, (uuid_of(1),))]
    assert list(judge(fact(event(1, typed=True)), known)) == []


def test_both_rooms_of_a_move_must_be_on_file() -> None:
    moved = told(1, EventKind.ROOM_MOVE, 0, to_room_id=BOB)
    assert list(judge(moved, Circumstances(rooms=frozenset({BOB})))) == []
    assert list(judge(moved, Circumstances(rooms=frozenset()))) == [
        Finding(FindingKind.UNKNOWN_REFERENCE, (uuid_of(1),))
    ]
    assert list(judge(told(1, EventKind.CHECK_IN, 0), Circumstances(adults=frozenset(), rooms=frozenset()))) == []


@pytest.mark.parametrize("received_ms", [at_ms(99), at_ms(100)])
def test_what_came_before_the_lock_is_in_the_figures(received_ms: int) -> None:
    known = Circumstances(locks=(PeriodLock(HOUR, at_ms(100)),), received_at_ms={uuid_of(1): received_ms})
    assert list(judge(came(1, 0), known)) == []
    assert list(judge_act(told(1, EventKind.VOID, 90), [came(2, 0)], known)) == []


def test_an_act_is_judged_by_what_it_touches_and_what_it_says() -> None:
    known = Circumstances(locks=(PeriodLock(HOUR, at_ms(100)),))
    adjusted = [Finding(FindingKind.ADJUSTMENT_AFTER_LOCK, (uuid_of(1),))]
    moved = Correction(occurred_at_ms=at_ms(59))
    assert list(judge_act(told(1, EventKind.CORRECT, 200, corrected=moved), [], known)) == adjusted
    assert list(judge_act(told(1, EventKind.CORRECT, 30, corrected=Correction()), [came(2, 60)], known)) == []
    assert list(judge_act(told(1, EventKind.REVIEW_RESOLVED, 200, left_at_ms=NINE_MS), [], known)) == adjusted


@pytest.mark.parametrize("more", [{"clock_suspect": True}, {"disputes": True}, {"provisional_name": "Tim"}])
def test_some_events_speak_for_themselves(more: dict[str, Any]) -> None:
    assert speaks_for_itself(event(1, **more))
    assert not speaks_for_itself(event(1))


def found(happened: Fact, known: Circumstances = NOTHING_KNOWN) -> list[Finding]:
    return list(judge(happened, known))


def test_a_name_is_provisional_until_the_child_is_on_file() -> None:
    taken_in = told(1, EventKind.CHECK_IN, 0, provisional_name="Tim")
    unknown = [Finding(FindingKind.UNKNOWN_REFERENCE, (uuid_of(1),))]
    assert found(taken_in) == found(taken_in, Circumstances(children=frozenset())) == unknown
    assert found(taken_in, Circumstances(children=frozenset({CHILD}))) == []


def test_an_adult_must_be_on_file() -> None:
    assert found(collected(0), Circumstances(adults=frozenset({ANN}))) == []
    assert found(collected(0), Circumstances(adults=frozenset({BOB}))) == [
        Finding(FindingKind.UNKNOWN_REFERENCE, (uuid_of(1),))
    ]


def test_what_came_after_the_lock_is_an_adjustment() -> None:
    known = Circumstances(locks=(PeriodLock(HOUR, at_ms(100)),), received_at_ms={uuid_of(1): at_ms(101)})
    assert found(came(1, 0), known) == [Finding(FindingKind.ADJUSTMENT_AFTER_LOCK, (uuid_of(1),))]


def test_a_dispute_names_what_it_disputes() -> None:
    disputed = told(2, EventKind.CONFIRM, 0, confirms=(1,), disputes=True)
    assert found(disputed) == [Finding(FindingKind.DISPUTED_BY_GUARDIAN, (uuid_of(1), uuid_of(2)))]


def test_who_acts_must_be_on_the_staff_and_the_device_in_use() -> None:
    staff = uuid_of(0x51)
    acted = told(1, EventKind.VOID, 30, staff_id=staff)
    flagged = [Finding(FindingKind.ACTOR_NOT_ENTITLED, (uuid_of(1),))]
    for judged in (found, lambda act, known: list(judge_act(act, [], known))):
        assert judged(acted, Circumstances(revoked_at_ms={"A": at_ms(30)})) == flagged
        assert judged(acted, Circumstances(revoked_at_ms={"A": at_ms(31)})) == []
        assert judged(acted, Circumstances(employed={staff: (EARLIER,)})) == flagged
        assert judged(acted, Circumstances(employed={staff: (EARLIER, HOUR)})) == []
