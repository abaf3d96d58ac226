"""What may be answered to each finding, and what then follows in the fold."""

import msgspec
import pytest

from sync.answers import POSSIBLE_ANSWERS, Need, PossibleAnswer, Which, possible_answers
from sync.attendance import AttendanceEvent, Correction, EventKind, Fact, decode_event, encode_event, fold
from sync.circumstances import Circumstances, Span
from sync.findings import Finding, FindingKind
from tests.unit.sync.builders import at_ms, came, event, fact, left, told, uuid_of

BLOCKED = Circumstances(must_not_collect={uuid_of(0xAD): (Span(0, None),)}, closures=(Span(at_ms(600), at_ms(700)),))
# Facts that lead to exactly one finding, and what each answer leaves of it: (stays, whether the child is in).
CASES: dict[FindingKind, tuple[list[Fact], dict[str, tuple[int, bool]]]] = {
    FindingKind.POSSIBLE_MISSED_CHECK_OUT: (
        [came(1, 0), came(2, 60)],
        {"left_between": (2, True), "never_left": (1, True), "second_wrong": (1, True)},
    ),
    FindingKind.CHECK_OUT_WITHOUT_CHECK_IN: ([left(1, 0)], {"came_unseen": (1, False), "wrong": (0, False)}),
    FindingKind.TWO_COLLECTORS: (
        [came(1, 0), left(2, 30, adult="Ann"), left(3, 35, adult="Bob")],
        {"first_collected": (1, False), "second_collected": (1, False), "both_there": (1, False)},
    ),
    FindingKind.MOVEMENT_AFTER_DEPARTURE: (
        [came(1, 0), left(2, 30), told(3, EventKind.ROOM_MOVE, 40, to_room_id=uuid_of(0xF1))],
        {"stands": (1, False), "move_wrong": (1, False)},
    ),
    FindingKind.RELEASED_ON_STALE_AUTHORISATION: (
        [came(1, 0), fact(event(2, kind=EventKind.CHECK_OUT, minute=30, adult_id=uuid_of(0xAD)), "A")],
        {"in_order": (1, False), "not_in_order": (1, False)},
    ),
    FindingKind.RELEASED_BY_OVERRIDE: (
        [came(1, 0), told(2, EventKind.CHECK_OUT, 30, reason_code="override")],
        {"in_order": (1, False), "not_in_order": (1, False)},
    ),
    FindingKind.PRESENCE_ON_CLOSURE: ([came(1, 610)], {"was_open": (1, True), "wrong": (0, False)}),
    FindingKind.TIME_UNCERTAIN: (
        [fact(event(1, minute=0, clock_suspect=True), "A")],
        {"time_right": (1, True), "time_corrected": (1, True), "wrong": (0, False)},
    ),
}


def answered(finding: Finding, answer: PossibleAnswer) -> Fact:
    """The answer as the event that says so."""
    is_corrected = answer.needs is Need.OCCURRED_AT
    said = told(
        99,
        EventKind.REVIEW_RESOLVED,
        900,
        finding=finding.key,
        answer=answer.code,
        supersedes=answer.named(finding.event_ids),
        corrected=Correction(occurred_at_ms=at_ms(20)) if is_corrected else None,
        left_at_ms=at_ms(20) if answer.needs is Need.LEFT_AT else None,
    )
    decode_event(encode_event(said.event))
    return said


def test_every_kind_of_finding_has_answers_with_codes_of_their_own() -> None:
    assert POSSIBLE_ANSWERS.keys() == set(FindingKind)
    for kind in FindingKind:
        answers = possible_answers(kind)
        assert len({answer.code for answer in answers}) == len(answers) >= 2
        codes = msgspec.convert([answer.code for answer in answers], list[str])
        assert all(msgspec.convert({**_RESOLVED, "answer": code}, AttendanceEvent) for code in codes)
        assert all(answer.says.endswith(".") and answer.consequence.endswith(".") for answer in answers)


_RESOLVED = {
    "event_id": uuid_of(1), "kind": "review_resolved", "center_id": uuid_of(2), "occurred_at_ms": at_ms(0),
    "recorded_at_ms": at_ms(0),
}  # fmt: skip


def test_an_answer_acts_upon_the_events_that_it_says() -> None:
    ids = ("a", "b", "c")
    named = {which: PossibleAnswer(code="", says="", consequence="", which=which).named(ids) for which in Which}
    assert named == {
        Which.NONE: (), Which.FIRST: ("a",), Which.SECOND: ("b",), Which.LAST: ("c",), Which.ALL: ids,
        Which.ALL_BUT_LAST: ("a", "b"),
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "code"), [(kind, code) for kind, (_, answers) in CASES.items() for code in answers])
def test_an_answer_closes_its_finding_and_what_it_says_follows(kind: FindingKind, code: str) -> None:
    facts, expected = CASES[kind]
    (finding,) = fold(facts, BLOCKED).findings
    assert finding.kind is kind
    assert expected.keys() == {answer.code for answer in possible_answers(kind)}
    answer = next(one for one in possible_answers(kind) if one.code == code)
    after = fold([*facts, answered(finding, answer)], BLOCKED)
    assert not [one for one in after.findings if one.key == finding.key]
    assert [one.answer for one in after.answers] == [code]
    assert (len(after.stays), after.open_stay is not None) == expected[code]


def test_a_rival_arrival_that_was_a_mistake_lets_the_child_go() -> None:
    facts = [came(1, 0, "A"), came(2, 30, "B"), left(3, 60, "A")]
    finding = next(one for one in fold(facts).findings if one.kind is FindingKind.OVERLAPPING_STAYS)
    answer = next(one for one in possible_answers(FindingKind.OVERLAPPING_STAYS) if one.code == "other_desk_wrong")
    after = fold([*facts, answered(finding, answer)])
    assert after.open_stay is None
    assert after.findings == ()
