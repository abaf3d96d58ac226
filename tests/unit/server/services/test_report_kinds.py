"""How a period is cut, and what every report says of itself."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from server.core.errors import InvalidInput
from server.services.report_kinds import KINDS, Cut, Part, ReportName, local, parts_of


def test_a_period_is_cut_at_the_ends_of_weeks_and_months_without_a_gap() -> None:
    first, last = date(2025, 12, 30), date(2026, 3, 2)
    weeks, months = parts_of(Cut.WEEK, first, last), parts_of(Cut.MONTH, first, last)
    assert weeks[0] == Part(first, date(2026, 1, 4))
    assert months == [
        Part(first, date(2025, 12, 31)),
        Part(date(2026, 1, 1), date(2026, 1, 31)),
        Part(date(2026, 2, 1), date(2026, 2, 28)),
        Part(date(2026, 3, 1), last),
    ]
    for parts in (weeks, months):
        days = [day for part in parts for day in part.days()]
        assert (days[0], days[-1], len(days), len(set(days))) == (first, last, 63, 63)
    assert parts_of(Cut.NOW, last, last) == [Part(last, last)]
    assert len(parts_of(Cut.WEEK, date(2016, 1, 1), date(2025, 12, 31))) == 523


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2026, 1, 2), date(2026, 1, 1)),
        (date(1999, 12, 31), date(2026, 1, 1)),
        (date(2026, 1, 1), date(2100, 1, 1)),
    ],
)
def test_days_that_cannot_be_are_refused(first: date, last: date) -> None:
    with pytest.raises(InvalidInput):
        parts_of(Cut.WEEK, first, last)


def test_a_day_on_which_the_clocks_change_is_whole() -> None:
    for day, hours in ((date(2026, 3, 29), 23), (date(2026, 10, 25), 25)):
        since, before = Part(day, day).bounds("Europe/Lisbon")
        assert (before - since).total_seconds() == hours * 3_600


def test_a_time_says_its_offset() -> None:
    zone = ZoneInfo("Europe/Lisbon")
    assert local(1_793_145_600_000, zone) == "2026-10-28 00:00:00+00:00"
    assert local(1_790_000_000_000, zone) == "2026-09-21 15:13:20+01:00"
    assert local(None, zone) == ""


def test_every_report_says_what_it_is() -> None:
    assert set(KINDS) == set(ReportName)
    for kind in KINDS.values():
        assert kind.title
        assert kind.about.endswith(".")
        assert len({column.title for column in kind.columns}) == len(kind.columns)
