"""What reference records tell the fold of the moments at which events happened."""

from datetime import UTC, datetime

import msgspec
import pytest

from sync.attendance import fold
from sync.circumstances import NOTHING_KNOWN, Circumstances, PeriodLock, Span
from sync.findings import Finding, FindingKind
from sync.records import (
    AbsenceRecord,
    CenterRecord,
    ChildRecord,
    ClosureRecord,
    LockRecord,
    PickupRecord,
    StaffRecord,
    StatusChange,
    encode_record,
)
from sync.reference import circumstances_of, employment
from tests.unit.sync.builders import CHILD, NINE_MS, at_ms, came, event, fact, left, uuid_of

ADULT = uuid_of(0xAD)
PLAIN = CenterRecord(code="sunny", name="Sunny", time_zone="Europe/Berlin")
RELEASE = [came(1, 0), fact(msgspec.structs.replace(left(2, 60).event, adult_id=ADULT), "A")]


def pickup(
    status: str = "authorised", valid_from: str = "", valid_to: str = "", *changes: tuple[int, str]
) -> PickupRecord:
    """A pick-up of the one adult."""
    record = PickupRecord(child_id=CHILD, adult_id=ADULT, status=status, valid_from=valid_from, valid_to=valid_to)
    if not changes:
        return record
    history = tuple(StatusChange(since_ms=since_ms, status=said) for since_ms, said in changes)
    return msgspec.structs.replace(record, history=history)


def ms(text: str) -> int:
    """A moment in UTC milliseconds."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1_000)


def test_where_nothing_ever_changed_there_is_nothing_to_know() -> None:
    assert circumstances_of(PLAIN, [pickup("authorised"), pickup("temporary")]) is NOTHING_KNOWN


def test_what_the_server_got_before_it_happened_is_in_the_future() -> None:
    ahead = circumstances_of(PLAIN, received_at_ms={uuid_of(1): at_ms(0) - 61_000})
    (found,) = fold([came(1, 0)], ahead).findings
    assert found.kind is FindingKind.TIME_UNCERTAIN
    assert fold([came(1, 0)], circumstances_of(PLAIN, received_at_ms={})).findings == ()


def test_what_is_not_set_is_left_out_of_the_bytes() -> None:
    assert b"closures" not in encode_record(PLAIN)
    assert b"locks" not in encode_record(PLAIN)
    assert b"history" not in encode_record(pickup())
    assert msgspec.json.decode(encode_record(PLAIN), type=CenterRecord) == PLAIN


def test_a_closure_is_the_days_of_the_centre_across_a_change_of_clocks() -> None:
    closed = ClosureRecord(first_day="2026-10-24", last_day="2026-10-25")
    known = circumstances_of(msgspec.structs.replace(PLAIN, closures=(closed,)))
    assert known.closures == (Span(ms("2026-10-24T00:00+02:00"), ms("2026-10-26T00:00+01:00")),)


def test_a_lock_says_since_when_the_figures_stand() -> None:
    lock = LockRecord(first_day="2026-09-01", last_day="2026-09-30", locked_at_ms=NINE_MS)
    known = circumstances_of(msgspec.structs.replace(PLAIN, locks=(lock,)), received_at_ms={uuid_of(1): 5})
    span = Span(ms("2026-09-01T00:00+02:00"), ms("2026-10-01T00:00+02:00"))
    assert known.locks == (PeriodLock(span, NINE_MS),)
    assert known.received_at_ms == {uuid_of(1): 5}


@pytest.mark.parametrize("status", ["not_authorised", "suspended"])
def test_who_was_never_to_collect_is_found_without_a_since(status: str) -> None:
    found = fold(RELEASE, circumstances_of(PLAIN, [pickup(status)])).findings
    assert found == (Finding(FindingKind.RELEASED_ON_STALE_AUTHORISATION, (uuid_of(2),), 0),)


def test_a_release_after_a_block_is_found_with_the_moment_of_the_block() -> None:
    blocked = pickup("suspended", "", "", (0, "authorised"), (at_ms(50), "suspended"))
    (found,) = fold(RELEASE, circumstances_of(PLAIN, [blocked])).findings
    assert (found.kind, found.since_ms) == (FindingKind.RELEASED_ON_STALE_AUTHORISATION, at_ms(50))


@pytest.mark.parametrize("since_minute", [60 + 1, 90])
def test_a_release_before_a_block_is_none(since_minute: int) -> None:
    blocked = pickup("suspended", "", "", (0, "authorised"), (at_ms(since_minute), "suspended"))
    assert fold(RELEASE, circumstances_of(PLAIN, [blocked])).findings == ()


def test_a_block_that_was_lifted_later_still_held_at_the_release() -> None:
    lifted = pickup("authorised", "", "", (0, "authorised"), (at_ms(50), "not_authorised"), (at_ms(70), "authorised"))
    known = circumstances_of(PLAIN, [lifted])
    assert known.must_not_collect == {ADULT: (Span(at_ms(50), at_ms(70)),)}
    assert known.may_collect == {ADULT: (Span(0, at_ms(50)), Span(at_ms(70), None))}
    assert [one.since_ms for one in fold(RELEASE, known).findings] == [at_ms(50)]


def test_an_authorisation_for_some_days_ends_with_the_last_of_them() -> None:
    day = datetime.fromtimestamp(NINE_MS / 1_000, UTC).date().isoformat()
    assert fold(RELEASE, circumstances_of(PLAIN, [pickup("temporary", day, day)])).findings == ()
    (found,) = fold(RELEASE, circumstances_of(PLAIN, [pickup("temporary", "2026-01-01", "2026-01-31")])).findings
    assert found.since_ms == ms("2026-02-01T00:00+01:00")


def test_an_authorisation_whose_days_came_before_it_allows_nothing() -> None:
    late = pickup(
        "authorised", "2026-01-01", "2026-01-31", (0, "suspended"), (ms("2026-03-01T00:00+01:00"), "authorised")
    )
    known = circumstances_of(PLAIN, [late])
    assert known.may_collect == {ADULT: ()}
    assert known.must_not_collect == {ADULT: (Span(0, ms("2026-03-01T00:00+01:00")),)}


def test_an_authorisation_that_is_not_valid_yet_is_found_without_a_since() -> None:
    (found,) = fold(RELEASE, circumstances_of(PLAIN, [pickup("authorised", "2099-01-01")])).findings
    assert found.since_ms == 0


def test_another_adult_is_not_concerned() -> None:
    other = fact(msgspec.structs.replace(event(2, minute=60), kind=left(2, 60).event.kind, adult_id=uuid_of(0xAE)), "A")
    assert isinstance(circumstances_of(PLAIN, [pickup("suspended")]), Circumstances)
    assert fold([came(1, 0), other], circumstances_of(PLAIN, [pickup("suspended")])).findings == ()


def test_an_announced_absence_is_the_days_of_the_centre_and_ends_when_the_child_comes() -> None:
    ill = AbsenceRecord(absence_id="ill", first_day="2026-10-24", last_day="2026-10-25", kind="sick")
    child = ChildRecord(given_name="Ada", family_name="Abel", absences=(ill,))
    (absence,) = circumstances_of(PLAIN, child=child).absences
    assert absence.span == Span(ms("2026-10-24T00:00+02:00"), ms("2026-10-26T00:00+01:00"))
    day = datetime.fromtimestamp(NINE_MS / 1_000, UTC).date().isoformat()
    today = msgspec.structs.replace(ill, first_day=day, last_day=day)
    known = circumstances_of(PLAIN, child=msgspec.structs.replace(child, absences=(today,)))
    attendance = fold([came(1, 0)], known)
    assert (attendance.ended_absences, attendance.findings) == (("ill",), ())


def test_what_lies_before_the_first_day_of_a_child_is_uncertain() -> None:
    child = ChildRecord(given_name="Ada", family_name="Abel", enrolled_from="2026-10-26")
    known = circumstances_of(PLAIN, child=child)
    assert known.enrolled_from_ms == ms("2026-10-26T00:00+01:00")
    assert [one.kind for one in fold([came(1, 0)], known).findings] == [FindingKind.TIME_UNCERTAIN]
    assert circumstances_of(PLAIN, child=ChildRecord(given_name="Ada", family_name="Abel")) is NOTHING_KNOWN


@pytest.mark.parametrize(
    ("first", "last", "span"),
    [
        ("2026-03-30", "", Span(ms("2026-03-30T00:00+02:00"), None)),
        ("", "2026-03-29", Span(0, ms("2026-03-30T00:00+02:00"))),
        ("2026-03-29", "2026-03-29", Span(ms("2026-03-29T00:00+01:00"), ms("2026-03-30T00:00+02:00"))),
    ],
)
def test_a_member_of_staff_is_employed_from_the_first_day_to_the_end_of_the_last(
    first: str, last: str, span: Span
) -> None:
    told = StaffRecord(
        given_name="", family_name="", role="", employed_from=first or msgspec.UNSET, employed_to=last or msgspec.UNSET
    )
    unknown = StaffRecord(given_name="", family_name="", role="")
    employed = employment({"told": told, "unknown": unknown}, PLAIN.time_zone)
    assert employed == {"told": (span,)}
    assert circumstances_of(PLAIN, employed=employed).employed == employed


def test_days_of_a_child_and_of_staff_that_nobody_told_are_left_out_of_the_bytes() -> None:
    child = encode_record(ChildRecord(given_name="Ada", family_name="Abel"))
    assert child.endswith(b'"enrolled":true,"alerts":[]}')
    assert encode_record(StaffRecord(given_name="", family_name="", role="")).endswith(b'"counts_in_ratio":true}')
