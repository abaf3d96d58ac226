"""Local times of a day as moments, on either side of a change of the clocks."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from server.core.errors import InvalidInput
from server.services.day_windows import Span, Window, mask_of, weekdays_of

BERLIN, AUCKLAND = ZoneInfo("Europe/Berlin"), ZoneInfo("Pacific/Auckland")
MORNING = Window(0b0011111, time(8), time(13))
NIGHT = Window(0b1111111, time(20), time(8))


def local(span: Span, zone: ZoneInfo) -> tuple[str, str]:
    return tuple(f"{one.astimezone(zone):%m-%d %H:%M%z}" for one in (span.starts_at, span.ends_at))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("zone", "day", "begin", "end", "minutes"),
    [
        # Berlin: forward on 2026-03-29 at 02:00, back on 2026-10-25 at 03:00.
        (BERLIN, date(2026, 3, 27), "03-27 08:00+0100", "03-27 13:00+0100", 300),
        (BERLIN, date(2026, 3, 30), "03-30 08:00+0200", "03-30 13:00+0200", 300),
        (BERLIN, date(2026, 10, 26), "10-26 08:00+0100", "10-26 13:00+0100", 300),
        # Auckland: back on 2026-04-05 at 03:00, forward on 2026-09-27 at 02:00.
        (AUCKLAND, date(2026, 4, 3), "04-03 08:00+1300", "04-03 13:00+1300", 300),
        (AUCKLAND, date(2026, 4, 6), "04-06 08:00+1200", "04-06 13:00+1200", 300),
        (AUCKLAND, date(2026, 9, 28), "09-28 08:00+1300", "09-28 13:00+1300", 300),
    ],
)
def test_a_session_at_eight_stays_at_eight_by_the_clock_on_the_wall(
    zone: ZoneInfo, day: date, begin: str, end: str, minutes: int
) -> None:
    span = MORNING.span(day, zone)
    assert local(span, zone) == (begin, end)
    assert span.minutes == minutes


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2026, 3, 28), 11), (BERLIN, date(2026, 10, 24), 13), (BERLIN, date(2026, 6, 1), 12),
        (AUCKLAND, date(2026, 4, 4), 13), (AUCKLAND, date(2026, 9, 26), 11),
    ],
)  # fmt: skip
def test_a_night_over_the_change_is_as_long_as_it_is(zone: ZoneInfo, day: date, hours: int) -> None:
    assert NIGHT.span(day, zone).minutes == hours * 60


def test_an_hour_that_comes_twice_begins_with_the_first_and_ends_with_the_second() -> None:
    half_past_two = Window(0b1111111, time(2, 30), time(2, 45))
    assert half_past_two.span(date(2026, 10, 25), BERLIN).minutes == 75
    assert local(half_past_two.span(date(2026, 3, 29), BERLIN), BERLIN) == ("03-29 03:30+0200", "03-29 03:45+0200")
    assert Window(127, time(8), time(8)).span(date(2026, 10, 24), BERLIN).minutes == 25 * 60


def test_a_part_lies_in_its_window_also_behind_midnight() -> None:
    day = date(2026, 6, 1)
    assert local(NIGHT.part(day, time(22), time(6), BERLIN), BERLIN) == ("06-01 22:00+0200", "06-02 06:00+0200")
    assert local(NIGHT.part(day, time(1), time(6), BERLIN), BERLIN) == ("06-02 01:00+0200", "06-02 06:00+0200")
    assert local(MORNING.part(day, time(8), time(13), BERLIN), BERLIN)[0] == "06-01 08:00+0200"
    for begin, end in ((time(7), time(9)), (time(12), time(14)), (time(9), time(9)), (time(10), time(9))):
        with pytest.raises(InvalidInput):
            MORNING.part(day, begin, end, BERLIN)
    for begin, end in ((time(9), time(10)), (time(6), time(9)), (time(21), time(20))):
        with pytest.raises(InvalidInput):
            NIGHT.part(day, begin, end, BERLIN)
    with pytest.raises(InvalidInput):  # left out by the clocks
        Window(127, time(1), time(5)).part(date(2026, 3, 29), time(2, 15), time(2, 15), BERLIN)


def test_weekdays_are_numbers_each_once() -> None:
    assert mask_of([1, 5, 7]) == 0b1010001
    assert weekdays_of(0b1010001) == [1, 5, 7]
    assert [MORNING.is_on(date(2026, 9, day)) for day in (21, 25, 26)] == [True, True, False]
    for wrong in ([], [0], [8], [1, 1]):
        with pytest.raises(InvalidInput):
            mask_of(wrong)


def test_a_span_ends_before_its_end_and_counts_a_minute_that_has_begun() -> None:
    def span(begin: int, end: int) -> Span:
        return Span(datetime(2026, 6, 1, begin, tzinfo=UTC), datetime(2026, 6, 1, end, tzinfo=UTC))

    assert not span(8, 9).overlaps(span(9, 10))
    assert span(8, 10).overlaps(span(9, 10))
    assert span(8, 10).holds(span(9, 10))
    assert not span(8, 10).holds(span(9, 11))
    assert Span(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, 0, 1, 1, tzinfo=UTC)).minutes == 2
