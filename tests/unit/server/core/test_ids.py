"""Ids: UUIDv7 by the book, growing whatever the clock does."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.ids import Ids, uuid7_from
from tests.support.clock import FakeClock


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**74 - 1))
def test_time_and_luck_lie_where_rfc_9562_wants_them(wall_ms: int, luck: int) -> None:
    made = uuid7_from(wall_ms, luck)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == wall_ms
    assert (made.int >> 64 & 0xFFF) << 62 | made.int & (2**62 - 1) == luck


def test_the_example_of_rfc_9562_comes_out() -> None:
    assert str(uuid7_from(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@pytest.mark.parametrize(("wall_ms", "luck"), [(-1, 0), (2**48, 0), (0, -1), (0, 2**74)])
def test_what_does_not_fit_is_refused(wall_ms: int, luck: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        uuid7_from(wall_ms, luck)


def test_ids_grow_inside_one_millisecond_and_when_the_clock_steps_back() -> None:
    clock = FakeClock()
    ids = Ids(clock)
    made = [ids.new() for _ in range(1000)]
    clock.set_wall_ms(clock.wall_ms() - 3_600_000)
    made += [ids.new() for _ in range(1000)]
    assert made == sorted(set(made))
    assert all(text == str(uuid.UUID(text)) and len(text) == 36 for text in made)


def test_ids_grow_past_the_end_of_the_luck_of_a_millisecond() -> None:
    clock = FakeClock()
    ids = Ids(clock, lambda size: b"\xff" * size)
    first, second = ids.new(), ids.new()
    assert second > first
    assert uuid.UUID(second).int >> 80 == clock.wall_ms() + 1


def test_the_same_luck_and_time_give_the_same_ids() -> None:
    assert [Ids(FakeClock(), bytes).new() for _ in range(2)] == ["01a0c450-6c00-7000-8000-000000000000"] * 2
