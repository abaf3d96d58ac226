"""How presence is decided: one test for each row that needs to know more than a subject's own events."""

from sync.attendance import Circumstances, Correction, EventKind, Fact, FindingKind, fold
from sync.circumstances import NOTHING_KNOWN, Absence, PeriodLock, Span
from tests.unit.sync.builders import CHILD, MINUTE_MS, NINE_MS, at_ms, came, left, told, uuid_of

ANN, BOB, STAFF, ROOM = (uuid_of(number) for number in (0xAA, 0xAB, 0x51, 0xF0))
FIRST_HOUR = Span(NINE_MS, at_ms(60))


def found(facts: list[Fact], known: Circumstances = NOTHING_KNOWN) -> list[tuple[FindingKind, str]]:
    return [(finding.kind, finding.event_ids[-1]) for finding in fold(facts, known).findings]


def collected(number: int, minute: float, adult_id: str = ANN) -> Fact:
    return told(number, EventKind.CHECK_OUT, minute, adult_id=adult_id)


def test_a_check_out_to_whom_it_had_been_withdrawn_is_critical_and_says_since_when() -> None:
    facts = [came(1, 0), collected(2, 90)]
    attendance = fold(facts, Circumstances(may_collect={ANN: (FIRST_HOUR,)}))
    (finding,) = attendance.findings
    assert finding.kind is FindingKind.RELEASED_ON_STALE_AUTHORISATION
    assert finding.is_critical
    assert finding.since_ms == at_ms(60)
    assert attendance.stays == fold(facts).stays, "the fact stands"


def test_a_check_in_during_an_announced_absence_ends_the_absence() -> None:
    known = Circumstances(absences=(Absence("ill", FIRST_HOUR), Absence("away", Span(at_ms(600)))))
    attendance = fold([came(1, 0), left(2, 30), came(3, 40)], known)
    assert attendance.ended_absences == ("ill",)
    assert attendance.open_stay is not None
    assert not attendance.findings


def test_a_check_in_while_the_centre_is_closed_stands_and_is_asked_about_once() -> None:
    known = Circumstances(closures=(Span(at_ms(30), at_ms(60)),))
    assert found([came(1, 30), came(2, 32, "B")], known) == [(FindingKind.PRESENCE_ON_CLOSURE, uuid_of(1))]
    assert found([came(1, 60)], known) == []


def test_an_event_inside_a_locked_period_that_came_after_the_lock_is_an_adjustment() -> None:
    lock = PeriodLock(FIRST_HOUR, locked_at_ms=at_ms(100))
    known = Circumstances(locks=(lock,), received_at_ms={uuid_of(1): at_ms(100), uuid_of(2): at_ms(101)})
    late = [(FindingKind.ADJUSTMENT_AFTER_LOCK, uuid_of(number)) for number in (2, 4)]
    assert found([came(1, 0), left(2, 30), came(3, 60), left(4, 59)], known)[:1] == late[:1]
    assert (FindingKind.ADJUSTMENT_AFTER_LOCK, uuid_of(3)) not in found([came(3, 60)], known)
    assert found([came(4, 59)], known) == late[1:], "what the server has not got is in no figures"


def test_a_correction_void_or_answer_that_touches_a_locked_period_is_an_adjustment() -> None:
    known = Circumstances(
        locks=(PeriodLock(FIRST_HOUR, locked_at_ms=at_ms(100)),),
        received_at_ms={uuid_of(1): NINE_MS, uuid_of(2): at_ms(100)},
    )
    outside = came(2, 60)
    adjusted = [(FindingKind.ADJUSTMENT_AFTER_LOCK, uuid_of(9))]
    inwards = Correction(occurred_at_ms=at_ms(59))
    assert found([came(1, 0), told(9, EventKind.VOID, 200, supersedes=(1,))], known) == adjusted
    assert found([outside, told(9, EventKind.CORRECT, 200, supersedes=(2,), corrected=inwards)], known) == adjusted
    assert found([outside, told(9, EventKind.VOID, 200, supersedes=(2,))], known) == []
    says = {"finding": "x", "answer": "left"}
    left_inside = told(9, EventKind.REVIEW_RESOLVED, 200, left_at_ms=at_ms(30), **says)
    assert (FindingKind.ADJUSTMENT_AFTER_LOCK, uuid_of(9)) in found([came(1, 0), left_inside], known)


def test_a_time_in_the_future_before_enrolment_or_by_a_wrong_clock_is_uncertain_and_stands() -> None:
    uncertain = [(FindingKind.TIME_UNCERTAIN, uuid_of(1))]
    assert found([came(1, 0)], Circumstances(received_at_ms={uuid_of(1): NINE_MS - MINUTE_MS - 1})) == uncertain
    assert found([came(1, 0)], Circumstances(enrolled_from_ms=NINE_MS + 1)) == uncertain
    assert found([came(1, 0)], Circumstances(enrolled_from_ms=NINE_MS)) == []
    assert found([came(1, 0)], Circumstances(wrong_clocks={"A": (FIRST_HOUR,)})) == uncertain
    assert found([told(1, EventKind.CHECK_IN, 0, clock_suspect=True)]) == uncertain
    assert fold([came(1, 0)], Circumstances(enrolled_from_ms=NINE_MS + 1)).stays == fold([came(1, 0)]).stays


def test_a_child_who_is_not_on_file_is_in_under_a_name_until_somebody_files_it() -> None:
    facts = [told(1, EventKind.CHECK_IN, 0, provisional_name="Tim, blue coat")]
    assert fold(facts).open_stay is not None
    assert found(facts) == [(FindingKind.UNKNOWN_REFERENCE, uuid_of(1))]
    assert found(facts, Circumstances(children=frozenset())) == [(FindingKind.UNKNOWN_REFERENCE, uuid_of(1))]
    assert found(facts, Circumstances(children=frozenset({CHILD}))) == []


def test_an_adult_or_a_room_that_never_was_on_file_is_an_unknown_reference() -> None:
    facts = [told(1, EventKind.CHECK_IN, 0, adult_id=ANN, room_id=ROOM)]
    assert found(facts, Circumstances(adults=frozenset({BOB}))) == [(FindingKind.UNKNOWN_REFERENCE, uuid_of(1))]
    assert found(facts, Circumstances(rooms=frozenset({BOB}))) == [(FindingKind.UNKNOWN_REFERENCE, uuid_of(1))]
    assert found(facts, Circumstances(adults=frozenset({ANN}), rooms=frozenset({ROOM}))) == []


def test_an_actor_who_was_no_longer_on_staff_or_a_revoked_device_is_flagged() -> None:
    flagged = [(FindingKind.ACTOR_NOT_ENTITLED, uuid_of(1))]
    before, after = (told(1, EventKind.CHECK_IN, minute, staff_id=STAFF) for minute in (59, 60))
    employed = Circumstances(employed={STAFF: (FIRST_HOUR,)})
    assert found([before], employed) == []
    assert found([after], employed) == flagged
    assert found([came(1, 0)], Circumstances(revoked_at_ms={"A": NINE_MS})) == flagged
    assert found([came(1, 0)], Circumstances(revoked_at_ms={"A": NINE_MS + 1, "B": 0})) == []


def test_who_voids_is_an_actor_too() -> None:
    known = Circumstances(revoked_at_ms={"B": NINE_MS})
    voided = [came(1, 0), told(2, EventKind.VOID, 5, "B", supersedes=(1,))]
    assert found(voided, known) == [(FindingKind.ACTOR_NOT_ENTITLED, uuid_of(2))]


def test_a_guardians_dispute_is_a_finding_and_a_confirmation_is_none() -> None:
    assert found([came(1, 0), told(2, EventKind.CONFIRM, 9, confirms=(1,))]) == []
    attendance = fold([came(1, 0), told(2, EventKind.CONFIRM, 9, confirms=(1,), disputes=True)])
    (finding,) = attendance.findings
    assert (finding.kind, finding.event_ids) == (FindingKind.DISPUTED_BY_GUARDIAN, (uuid_of(1), uuid_of(2)))
    assert attendance.open_stay is not None


def test_with_nothing_known_nothing_is_found() -> None:
    facts = [told(1, EventKind.CHECK_IN, 0, adult_id=ANN, room_id=ROOM, staff_id=STAFF), collected(2, 30)]
    assert found(facts) == []
