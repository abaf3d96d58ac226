"""A date and time of a form: what it means by the centre's clocks, and what is said when it means nothing."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from server.controllers.moment_field import FIELD_CHARACTERS_MAX, MomentField, read_moment

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 5, 0, tzinfo=UTC)


def test_an_empty_field_means_now_and_a_full_one_a_time_of_the_centre() -> None:
    assert read_moment("", BERLIN, NOW) == read_moment("  ", BERLIN, NOW) == MomentField()
    found = read_moment(" 2026-09-21T08:00 ", BERLIN, NOW)
    assert (found.text, found.problem, found.twice, found.is_plain) == ("2026-09-21T08:00", "", None, True)
    assert found.moment == datetime(2026, 9, 21, 6, 0, tzinfo=UTC)
    # A time with its own offset is shown by the centre's clocks, as the field can.
    found = read_moment("2026-09-21T06:00:30Z", BERLIN, NOW)
    assert (found.text, found.moment) == ("2026-09-21T08:00", datetime(2026, 9, 21, 6, 0, 30, tzinfo=UTC))
    assert read_moment("2026-11-28T06:00", BERLIN, NOW).problem == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "such as"),
        ("2026-09-21", "such as"),
        ("2026-02-30T08:00", "such as"),
        ("<script>T", "such as"),
        ("1" * 500, "such as"),
        ("2026-09-21T08:00\x00", "such as"),
        ("1999-12-31T08:00", "from the year 2000"),
        ("0001-01-01T00:00", "from the year 2000"),
        ("0001-01-01T00:00+14:00", "from the year 2000"),
        ("2000-01-01T00:30", "from the year 2000"),  # in UTC it is 1999 still
        ("9999-12-31T23:59-14:00", "from the year 2000"),
        ("2026-11-28T06:01", "lies ahead"),
        ("2099-01-01T08:00", "lies ahead"),
        ("2026-03-29T02:30", "no such time"),
    ],
)
def test_what_means_nothing_is_said_and_stays_in_the_field(text: str, said: str) -> None:
    found = read_moment(text, BERLIN, NOW)
    assert found.moment is None
    assert said in found.problem
    assert found.text == text[:FIELD_CHARACTERS_MAX]


def test_a_field_of_the_browser_is_used_only_for_what_it_can_show() -> None:
    assert read_moment("2026-11-28T23:00", BERLIN, NOW).is_plain
    assert not read_moment("2026-02-30T08:00", BERLIN, NOW).is_plain
    assert not read_moment("half past eight", BERLIN, NOW).is_plain
    assert not read_moment("2099-09-21T08:00Z", BERLIN, NOW).is_plain


def test_a_time_that_came_twice_is_told_with_the_other_one() -> None:
    first = read_moment("2026-10-25T02:30", BERLIN, NOW)
    # Times of one zone are compared by their hands, so by UTC.
    assert first.moment is not None
    assert first.moment.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert first.twice is not None
    assert first.twice.isoformat() == "2026-10-25T02:30:00+01:00"
    second = read_moment(first.twice.isoformat(), BERLIN, NOW)
    assert (second.text, second.moment) == ("2026-10-25T02:30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert second.twice is not None
    assert second.twice.isoformat() == "2026-10-25T02:30:00+02:00"
