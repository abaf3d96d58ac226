"""Times that people type."""

import pytest

from kiosk.services.errors import DeskError
from kiosk.services.typed_time import typed_ms
from tests.support.building_desk import MINUTE_MS, MORNING_MS

DAY, ZONE = "2026-09-21", "Europe/Lisbon"


@pytest.mark.parametrize("text", ["07:10", "7:10", "7.10", "0710", " 710 "])
def test_a_time_is_read_as_people_write_it(text: str) -> None:
    assert typed_ms(text, DAY, ZONE, MORNING_MS) == MORNING_MS - 48 * MINUTE_MS


@pytest.mark.parametrize(
    "text", ["", "7", "24:00", "07:60", "7:1", "-7:10", "07:10:00", "\u0660\u0667:\u0661\u0660", "now", "7" * 1000]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(DeskError, match="hours and minutes"):
        typed_ms(text, DAY, ZONE, MORNING_MS)


def test_the_minute_that_is_now_is_no_future_and_the_next_one_is() -> None:
    assert typed_ms("07:58", DAY, ZONE, MORNING_MS) == MORNING_MS
    with pytest.raises(DeskError, match="has not come yet"):
        typed_ms("07:59", DAY, ZONE, MORNING_MS)


def test_an_hour_that_the_clocks_skip_is_refused_and_one_that_comes_twice_is_the_first() -> None:
    with pytest.raises(DeskError, match="put forward"):
        typed_ms("01:30", "2026-03-29", ZONE, MORNING_MS)
    assert typed_ms("01:30", "2025-10-26", ZONE, MORNING_MS) == 1_761_438_600_000  # 00:30 UTC, in summer time
