"""When a child should have been collected."""

from datetime import UTC, datetime, time, timedelta

import pytest

from server.models.rooms import Center
from server.services.day_windows import Span
from server.services.departures import Due, DueBy, due_of

CENTER = Center(
    id="c", organisation_id="o", code="north", name="North", time_zone="Europe/Lisbon", closes_at=time(18, 0)
)
HOURLESS = Center(id="c", organisation_id="o", code="x", name="X", time_zone="Europe/Lisbon")


def at(hour: int, minute: int = 0, *, day: int = 21) -> datetime:
    """A moment of September 2026 by the clocks of Lisbon, which are an hour ahead of UTC."""
    return datetime(2026, 9, day, hour, minute, tzinfo=UTC) - timedelta(hours=1)


def span(begin: int, end: int) -> Span:
    return Span(at(begin), at(end))


@pytest.mark.parametrize(
    ("booked", "came", "until", "due"),
    [
        ([], at(8), at(19), Due(at(18), DueBy.CLOSING)),
        ([], at(8), at(19, day=22), Due(at(18), DueBy.CLOSING)),
        ([], at(19), at(20), Due(at(18, day=22), DueBy.CLOSING)),
        ([], None, at(19), Due(at(18), DueBy.CLOSING)),
        ([span(8, 12)], at(8), at(12, 30), Due(at(12), DueBy.BOOKING)),
        ([span(8, 12), span(12, 16)], at(8), at(12, 30), Due(at(16), DueBy.BOOKING)),
        ([span(8, 12), span(12, 16)], at(8), at(11), Due(at(16), DueBy.BOOKING)),
        ([span(13, 17), span(8, 12)], at(8), at(12, 30), Due(at(12), DueBy.BOOKING)),
        ([span(13, 17), span(8, 12)], at(8), at(14), Due(at(17), DueBy.BOOKING)),
        ([span(8, 16), span(9, 11)], at(8), at(15), Due(at(16), DueBy.BOOKING)),
        ([span(8, 12)], at(14), at(19), Due(at(18), DueBy.CLOSING)),
        ([span(8, 12)], None, at(13), Due(at(12), DueBy.BOOKING)),
    ],
)
def test_it_is_due_as_the_table_says(booked: list[Span], came: datetime | None, until: datetime, due: Due) -> None:
    assert due_of(booked, came, until, CENTER) == due


def test_nobody_is_late_where_nothing_says_when() -> None:
    assert due_of([], at(8), at(23), HOURLESS) is None
