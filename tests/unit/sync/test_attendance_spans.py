"""A fold can go on from the middle: from an arrival that found nobody in, it is the end of a fold of everything."""

import pytest
from hypothesis import given

from sync.attendance import ChildFold, EventKind, Fact, fold, fold_spans
from sync.circumstances import Circumstances, PeriodLock, Span
from sync.findings import FindingKind
from sync.stays import Spans
from tests.unit.sync.builders import came, left, told, uuid_of
from tests.unit.sync.test_attendance_laws import ACTS, some_facts

ALWAYS_LOCKED = Circumstances(locks=(PeriodLock(Span(0, None), 0),))


@given(some_facts())
def test_from_any_fresh_arrival_on_a_fold_is_the_end_of_the_whole(facts: list[Fact]) -> None:
    whole = fold_spans(facts, ALWAYS_LOCKED)
    assert whole.attendance == fold(facts, ALWAYS_LOCKED)
    for number, is_fresh in enumerate(whole.fresh):
        arrival = whole.attendance.stays[number].check_in
        if is_fresh:
            assert arrival is not None
            part = fold_spans(_loaded(facts, arrival), ALWAYS_LOCKED, first=arrival.event.event_id)
            assert part.attendance.stays == whole.attendance.stays[number:]
            assert part.fresh == whole.fresh[number:]
            assert _numbered(part, number) == {one for one in _numbered(whole, 0) if one[1] >= number}


def _loaded(facts: list[Fact], arrival: Fact) -> list[Fact]:
    """What somebody reads who knows when the arrival was: all since, all acts, and what these name."""
    acts = [each for each in facts if each.event.kind in ACTS]
    named = {event_id for act in acts for event_id in act.event.supersedes}
    return [each for each in facts if each in acts or each.at_ms >= arrival.at_ms or each.event.event_id in named]


def _numbered(spans: Spans, first: int) -> set[tuple[str, int]]:
    pairs = zip(spans.attendance.findings, spans.findings, strict=True)
    return {(finding.key, span + first) for finding, span in pairs}


def test_a_span_begins_with_an_arrival_that_found_nobody_in() -> None:
    spans = fold_spans([came(1, 0, "A"), came(2, 30, "B"), left(3, 40, "A"), left(4, 50, "B"), came(5, 60)])
    assert spans.fresh == (True, False, True)


def test_a_departure_that_nobody_saw_come_begins_no_span() -> None:
    spans = fold_spans([left(1, 10), came(2, 20)])
    assert spans.fresh == (False, True)
    assert spans.findings == (0,)


def test_a_finding_before_any_stay_belongs_to_none() -> None:
    spans = fold_spans([told(1, EventKind.ROOM_MOVE, 5, to_room_id=uuid_of(0xF1)), came(2, 20)])
    assert [one.kind for one in spans.attendance.findings] == [FindingKind.MOVEMENT_AFTER_DEPARTURE]
    assert spans.findings == (-1,)


def test_an_act_is_found_in_the_span_in_which_it_was_recorded() -> None:
    facts = [
        came(1, 0), left(2, 10), came(3, 20), left(4, 30),
        told(5, EventKind.VOID, 25, supersedes=(uuid_of(2),)),
        told(6, EventKind.VOID, -5, supersedes=(uuid_of(4),)),
    ]  # fmt: skip
    spans = fold_spans(facts[:4] + facts[5:], ALWAYS_LOCKED)
    found = dict(zip([one.event_ids for one in spans.attendance.findings], spans.findings, strict=True))
    assert found[(uuid_of(6),)] == -1
    later = fold_spans(facts[:5], ALWAYS_LOCKED, first=uuid_of(1))
    keys = [one.event_ids for one in later.attendance.findings]
    assert later.findings[keys.index((uuid_of(5),))] == 0


def test_an_arrival_that_no_longer_counts_begins_nothing() -> None:
    facts = [came(1, 0), told(2, EventKind.VOID, 5, supersedes=(uuid_of(1),))]
    with pytest.raises(LookupError):
        fold_spans(facts, first=uuid_of(1))
    with pytest.raises(LookupError):
        fold_spans([came(1, 0)], first=uuid_of(9))


def test_a_fold_that_goes_on_tells_its_facts_each_once_in_order() -> None:
    going_on = ChildFold([left(2, 10), came(1, 0), left(2, 10)])
    going_on.add(came(3, 20))
    assert [fact.event.event_id for fact in going_on.facts] == [uuid_of(1), uuid_of(2), uuid_of(3)]
