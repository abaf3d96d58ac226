"""When managers are told of missing children: from an hour after the centre opened, by its own clock."""

from datetime import UTC, date, datetime, time

import pytest

from server.models.rooms import Center
from server.services.absence_follow_up import due_day
from server.services.notifications import missing_children

MONDAY = date(2026, 9, 21)


def center(opens_at: time | None, zone: str = "Europe/Berlin") -> Center:
    return Center(id="c", organisation_id="o", code="elm", name="Elm\nLane", time_zone=zone, opens_at=opens_at)


@pytest.mark.parametrize(
    ("utc", "day"),
    [
        ("2026-09-21T05:59:59", None),  # 07:59:59 in Berlin, where it opens at 07:00
        ("2026-09-21T06:00:00", MONDAY),
        ("2026-09-21T11:59:59", MONDAY),
        ("2026-09-21T12:00:00", None),
        ("2026-09-20T22:30:00", None),  # Monday there, and still night
    ],
)
def test_a_day_is_due_from_an_hour_after_opening_for_six_hours(utc: str, day: date | None) -> None:
    assert due_day(datetime.fromisoformat(utc).replace(tzinfo=UTC), center(time(7))) == day


def test_the_hour_is_an_hour_also_when_the_clocks_change_in_it() -> None:
    early = center(time(1, 30))
    forward = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30; at 02:00 it becomes 03:00
    assert due_day(forward.replace(hour=1, minute=29), early) is None
    assert due_day(forward.replace(hour=1), early) == date(2026, 3, 29)


def test_a_centre_without_opening_time_is_never_due() -> None:
    assert due_day(datetime(2026, 9, 21, 9, tzinfo=UTC), center(None)) is None


def test_each_manager_gets_one_mail_a_day_that_names_nobody() -> None:
    one, other = missing_children(center(time(7)), MONDAY, 1, ["a@x.org", "b@x.org"], "https://rollcall.example")
    assert one.subject == "Elm Lane: 1 child not here, and announced by nobody"
    assert "1 child of Elm Lane expected today is not here" in one.body
    assert "https://rollcall.example" in one.body
    assert one.dedupe_key != other.dedupe_key
    (again,) = missing_children(center(time(7)), MONDAY, 5, ["a@x.org"], "https://rollcall.example")
    assert again.dedupe_key == one.dedupe_key
    (next_day,) = missing_children(center(time(7)), date(2026, 9, 22), 5, ["a@x.org"], "https://rollcall.example")
    assert next_day.dedupe_key != one.dedupe_key
    assert next_day.subject == "Elm Lane: 5 children not here, and announced by nobody"
