"""Usage: bookings and stays of one child become lines, whatever the clock on the wall does."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from server.models.planning import BookingStatus, ServiceUnit
from server.services.day_windows import Span, Window
from server.services.usage import Booked, Offered, Remark, Stayed, Terms, UsageKind, UsageLine, usage
from server.services.usage_absences import ARRIVALS_BACK, Announced

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 6, 1)
AFTERWARDS = datetime(2026, 12, 1, tzinfo=UTC)
TERMS = Terms(
    date(2026, 1, 1), 1, Decimal("25.50"), late_minute_price=Decimal("0.80"), late_grace_min=10, late_cancel_percent=50
)
AM = Offered("am", "AM", ServiceUnit.SESSION, "EUR", Window(31, time(8), time(13)), (TERMS,))
PM = Offered("pm", "PM", ServiceUnit.SESSION, "EUR", Window(31, time(13), time(18)), (TERMS,))
HOURS = Offered(
    "hours", "H", ServiceUnit.HOUR, "EUR", Window(127, time(7), time(19)),
    (replace(TERMS, price=Decimal(9), requires_booking=False),),
)  # fmt: skip
NIGHT = Offered("night", "N", ServiceUnit.SESSION, "EUR", Window(127, time(20), time(8)), (TERMS,))
LUNCH = Offered("lunch", "L", ServiceUnit.ITEM, "EUR", Window(31, time(12), time(12, 30)), (TERMS,))
SERVICES = {one.id: one for one in (AM, PM, HOURS, NIGHT, LUNCH)}


def at(day: int, hour: int, minute: int = 0, month: int = 6) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def booked(
    service: Offered, day: date = MONDAY, status: BookingStatus = BookingStatus.CONFIRMED, **more: object
) -> Booked:
    found = Booked(f"{service.id} {day}", service.id, day, service.window.span(day, BERLIN), status)
    return replace(found, **more)  # type: ignore[arg-type]


def stayed(begin: datetime | None, end: datetime | None, **more: object) -> Stayed:
    return replace(Stayed("stay", begin, end, ("in", "out")), **more)  # type: ignore[arg-type]


def lines(bookings: list[Booked], stays: list[Stayed], as_of: datetime = AFTERWARDS) -> list[UsageLine]:
    return usage(bookings, stays, SERVICES, zone=BERLIN, as_of=as_of)


def told(found: list[UsageLine]) -> list[tuple[str, str, str]]:
    return [(line.kind.value, f"{line.quantity.normalize():f}", f"{line.amount}") for line in found]


def test_a_booking_that_was_used_counts_as_it_was_booked_and_names_its_sources() -> None:
    (line,) = lines([booked(AM)], [stayed(at(1, 9, 12), at(1, 12))])
    assert told([line]) == [("attended", "1", "25.50")]
    assert (line.booking_id, line.stay_ids, line.event_ids) == (f"am {MONDAY}", ("stay",), ("in", "out"))
    assert (line.terms_version, line.currency, line.day, line.remarks) == (1, "EUR", MONDAY, ())
    assert (line.attended_from, line.attended_to) == (at(1, 9, 12), at(1, 12))


@pytest.mark.parametrize(
    ("status", "chargeable", "expected"),
    [
        (BookingStatus.CONFIRMED, False, [("no_show", "1", "25.50")]),
        (BookingStatus.NO_SHOW, False, [("no_show", "1", "25.50")]),
        (BookingStatus.CANCELLED_BY_PARENT, True, [("late_cancellation", "1", "12.75")]),
        (BookingStatus.CANCELLED_BY_PARENT, False, []),
        (BookingStatus.CANCELLED_BY_CENTRE, False, []),
        (BookingStatus.DECLINED, False, []),
        (BookingStatus.WAITLISTED, False, []),
        (BookingStatus.REQUESTED, False, []),
    ],
)
def test_what_was_not_used_is_charged_as_the_terms_say(
    status: BookingStatus, chargeable: bool, expected: list[tuple[str, str, str]]
) -> None:
    assert told(lines([booked(AM, status=status, chargeable=chargeable)], [])) == expected


def test_what_lies_ahead_is_no_usage_yet() -> None:
    assert lines([booked(AM)], [], as_of=at(1, 12, 59)) == []
    assert lines([booked(AM)], [stayed(at(1, 8), None)], as_of=at(1, 10)) == []
    (line,) = lines([booked(AM)], [stayed(at(1, 8), None)], as_of=at(1, 14))
    assert (told([line]), line.remarks) == ([("attended", "1", "25.50")], (Remark.STILL_HERE,))


@pytest.mark.parametrize(
    ("left", "late"), [(at(1, 13), None), (at(1, 13, 10), None), (at(1, 13, 11), "11"), (at(1, 15), "120")]
)
def test_beyond_the_grace_all_minutes_count(left: datetime, late: str | None) -> None:
    found = told(lines([booked(AM)], [stayed(at(1, 8), left)]))
    amount = f"{Decimal(late) * Decimal('0.80'):.2f}" if late else ""
    assert found == [("attended", "1", "25.50"), *([("late_pick_up", late, amount)] if late else [])]


def test_bookings_that_meet_are_one_and_a_gap_between_two_is_late() -> None:
    assert told(lines([booked(AM), booked(PM)], [stayed(at(1, 8), at(1, 18))])) == [("attended", "1", "25.50")] * 2
    evening = booked(NIGHT)
    found = lines([booked(AM), evening], [stayed(at(1, 8), at(2, 8))])
    assert [(line.kind, line.quantity) for line in found if line.kind is UsageKind.LATE_PICK_UP] == [
        (UsageKind.LATE_PICK_UP, Decimal(7 * 60))
    ]


def test_a_stay_over_night_is_in_both_bookings_and_late_between_them() -> None:
    found = lines([booked(AM), booked(AM, date(2026, 6, 2))], [stayed(at(1, 8), at(2, 13))])
    assert told(found) == [
        ("attended", "1", "25.50"), ("late_pick_up", "1140", "912.00"), ("attended", "1", "25.50"),
    ]  # fmt: skip
    assert told(lines([booked(NIGHT)], [stayed(at(1, 20), at(2, 7, 55))])) == [("attended", "1", "25.50")]


def test_the_clock_that_is_set_back_makes_nobody_late_and_hours_are_those_that_pass() -> None:
    night = booked(NIGHT, date(2026, 10, 24))
    assert told(lines([night], [stayed(at(24, 20, month=10), at(25, 8, month=10))])) == [("attended", "1", "25.50")]
    span = Span(at(24, 20, month=10), at(25, 8, month=10))
    hours = replace(night, service_id="hours", span=span)
    (line,) = lines([hours], [])
    assert (line.quantity, line.amount) == (Decimal(13), Decimal("117.00"))
    shorter = replace(hours, day=date(2026, 3, 28), span=Span(at(28, 20, month=3), at(29, 8, month=3)))
    assert lines([shorter], [])[0].quantity == 11


def test_a_correction_changes_the_lines() -> None:
    late, corrected = stayed(at(1, 8), at(1, 14)), stayed(at(1, 8), at(1, 13))
    assert [line.kind.value for line in lines([booked(AM)], [late])] == ["attended", "late_pick_up"]
    assert [line.kind.value for line in lines([booked(AM)], [corrected])] == ["attended"]
    assert [line.kind.value for line in lines([booked(AM)], [])] == ["no_show"]


def test_what_nobody_saw_is_never_charged_by_itself() -> None:
    assumed = lines([booked(AM)], [stayed(at(1, 8), at(1, 18), assumed=True)])
    assert [(line.kind, line.remarks) for line in assumed] == [(UsageKind.ATTENDED, (Remark.ASSUMED_DEPARTURE,))]
    unknown = lines([booked(AM)], [stayed(None, at(1, 12, 50), disputed=True)])
    assert [(line.kind, line.remarks) for line in unknown] == [
        (UsageKind.ATTENDED, (Remark.DISPUTED, Remark.UNKNOWN_ARRIVAL))
    ]
    alone = lines([], [stayed(None, at(1, 12, 50))])
    assert [(line.kind, line.quantity, line.amount) for line in alone] == [(UsageKind.DROP_IN, Decimal(0), None)]
    gone = lines([], [stayed(at(1, 8), at(1, 18), assumed=True)])
    assert [(line.service_id, line.quantity, line.amount) for line in gone] == [("hours", Decimal(10), None)]


def test_a_stay_that_nobody_booked_is_a_drop_in_of_the_service_that_fits_best() -> None:
    (line,) = lines([], [stayed(at(1, 8), at(1, 9, 50))])
    assert (line.kind, line.service_id, told([line])) == (UsageKind.DROP_IN, "hours", [("drop_in", "2", "18.00")])
    open_am = replace(AM, terms=(replace(TERMS, requires_booking=False),))
    with_am = {**SERVICES, "am": open_am}
    found = usage([], [stayed(at(1, 8), at(1, 12))], with_am, zone=BERLIN, as_of=AFTERWARDS)
    assert [(one.service_id, one.unit, one.quantity) for one in found] == [("am", "session", Decimal(1))]
    closed = usage([], [stayed(at(1, 8), at(1, 12))], {"am": AM}, zone=BERLIN, as_of=AFTERWARDS)
    assert [(one.quantity, one.amount, one.remarks) for one in closed] == [(Decimal(4), None, (Remark.NO_SERVICE,))]
    two_nights = replace(NIGHT, terms=(replace(TERMS, requires_booking=False),))
    both = usage([], [stayed(at(1, 20), at(3, 7))], {"night": two_nights}, zone=BERLIN, as_of=AFTERWARDS)
    assert [(one.day.day, one.quantity) for one in both] == [(1, Decimal(1)), (2, Decimal(1))]


def test_an_item_is_what_was_booked_and_no_stay_says_whether_it_was_eaten() -> None:
    assert told(lines([booked(LUNCH)], [])) == [("item", "1", "25.50")]
    found = lines([booked(LUNCH)], [stayed(at(1, 8), at(1, 9))])
    assert [line.kind for line in found] == [UsageKind.ITEM, UsageKind.DROP_IN]


def test_the_terms_of_the_day_hold_and_without_any_nothing_is_priced() -> None:
    newer = replace(TERMS, effective_from=date(2026, 6, 2), version=2, price=Decimal(30), no_show_percent=25)
    services = {"am": replace(AM, terms=(TERMS, newer))}
    both = [booked(AM), booked(AM, date(2026, 6, 2))]
    found = usage(both, [], services, zone=BERLIN, as_of=AFTERWARDS)
    assert [(line.terms_version, line.amount) for line in found] == [(1, Decimal("25.50")), (2, Decimal("7.50"))]
    (line,) = usage([booked(AM)], [], {"am": replace(AM, terms=())}, zone=BERLIN, as_of=AFTERWARDS)
    assert (line.amount, line.terms_version, line.remarks) == (None, None, (Remark.NO_TERMS,))


def test_the_order_in_which_things_are_told_changes_nothing() -> None:
    bookings = [booked(AM), booked(PM), booked(NIGHT), booked(LUNCH)]
    stays = [stayed(at(1, 8), at(1, 13)), stayed(at(1, 18, 30), at(2, 9), id="evening")]
    assert lines(bookings, stays) == lines(bookings[::-1], stays[::-1])


SICK = Announced(MONDAY, date(2026, 6, 5), told_at=at(1, 7, 59))
FREE = replace(SICK, billable=False)


def excused(bookings: list[Booked], stays: list[Stayed], *absences: Announced) -> list[tuple[str, str, str]]:
    return told(usage(bookings, stays, SERVICES, zone=BERLIN, as_of=AFTERWARDS, absences=absences))


def test_a_child_that_was_announced_is_no_no_show_and_costs_what_its_absence_says() -> None:
    assert excused([booked(AM)], [], SICK) == [("absent", "1", "25.50")]
    assert excused([booked(AM)], [], FREE) == [("absent", "1", "0.00")]
    assert excused([booked(AM)], [], SICK, FREE) == [("absent", "1", "0.00")], "of two the milder counts"
    half = replace(AM, id="half", terms=(replace(TERMS, no_show_percent=50),))
    (line,) = usage([booked(half)], [], {"half": half}, zone=BERLIN, as_of=AFTERWARDS, absences=[SICK])
    assert (line.kind, line.amount, line.rules_version) == (UsageKind.ABSENT, Decimal("12.75"), 2)


def test_what_is_said_too_late_or_of_other_days_excuses_nobody() -> None:
    no_show = [("no_show", "1", "25.50")]
    assert excused([booked(AM)], [], replace(FREE, told_at=at(1, 8))) == [("absent", "1", "0.00")], "just in time"
    assert excused([booked(AM)], [], replace(FREE, told_at=at(1, 8, 1))) == no_show
    assert excused([booked(AM)], [], replace(FREE, told_at=at(3, 8), justified=True)) == [("absent", "1", "0.00")]
    assert excused([booked(AM)], [], replace(FREE, first_day=date(2026, 6, 2))) == no_show
    assert excused([booked(AM, date(2026, 6, 8))], [], FREE) == no_show
    assert excused([booked(AM)], []) == no_show
    # Whoever gave it back too late has given it back, and a lunch that was booked was cooked.
    late = booked(AM, status=BookingStatus.CANCELLED_BY_PARENT, chargeable=True)
    assert excused([late], [], FREE) == [("late_cancellation", "1", "12.75")]
    assert excused([booked(LUNCH)], [], FREE) == [("item", "1", "25.50")]


def test_a_child_that_came_was_there_and_ended_its_absence() -> None:
    week = [booked(AM, date(2026, 6, day)) for day in (1, 2, 3)]
    came = stayed(at(2, 8), at(2, 13))
    assert [kind for kind, _, _ in excused(week, [came], FREE)] == ["absent", "attended", "no_show"]
    before = stayed(at(1, 8) - timedelta(days=3), at(1, 13) - timedelta(days=3))
    assert [kind for kind, _, _ in excused(week, [before], FREE)][1:] == ["absent", "absent", "absent"]
    # Of a long absence an arrival is looked for two weeks back: so far reaches every question about the same day.
    long = replace(FREE, first_day=date(2026, 5, 1))
    for back, kind in ((ARRIVALS_BACK, "no_show"), (ARRIVALS_BACK + timedelta(minutes=1), "absent")):
        begin = at(1, 8) - back
        found = excused([booked(AM)], [stayed(begin, begin + timedelta(hours=1))], long)
        assert kind in [one for one, _, _ in found]


def test_without_terms_an_absence_makes_no_price() -> None:
    bare = replace(AM, id="bare", terms=())
    (line,) = usage([booked(bare)], [], {"bare": bare}, zone=BERLIN, as_of=AFTERWARDS, absences=[FREE])
    assert (line.kind, line.amount, line.remarks) == (UsageKind.ABSENT, None, (Remark.NO_TERMS,))
