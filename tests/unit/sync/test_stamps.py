"""Hybrid stamps never fall and stay close to wall time."""

from hypothesis import given
from hypothesis import strategies as st

from sync.limits import INT64_MAX, WALL_MS_MAX
from sync.stamps import COUNTER_BITS, next_stamp
from tests.unit.sync.builders import NINE_MS


def test_a_stamp_is_the_wall_time_above_its_counter() -> None:
    assert next_stamp(previous=0, wall_ms=NINE_MS) == NINE_MS << COUNTER_BITS


def test_what_shares_a_millisecond_is_counted() -> None:
    first = next_stamp(previous=0, wall_ms=NINE_MS)
    assert next_stamp(previous=first, wall_ms=NINE_MS) == first + 1


def test_a_clock_that_steps_back_does_not_take_the_stamp_with_it() -> None:
    first = next_stamp(previous=0, wall_ms=NINE_MS)
    assert next_stamp(previous=first, wall_ms=NINE_MS - 3_600_000) == first + 1


@given(st.integers(0, WALL_MS_MAX << COUNTER_BITS), st.integers(-INT64_MAX, INT64_MAX))
def test_a_stamp_is_later_than_the_one_before_whatever_the_clock_says(previous: int, wall_ms: int) -> None:
    stamp = next_stamp(previous=previous, wall_ms=wall_ms)
    assert previous < stamp <= max(previous + 1, WALL_MS_MAX << COUNTER_BITS)


def test_a_stamp_always_fits_63_bits() -> None:
    assert next_stamp(previous=INT64_MAX, wall_ms=INT64_MAX) == INT64_MAX
