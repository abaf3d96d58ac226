"""How many entries the next push takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.limits import PUSH_ENTRIES_MAX
from sync.push_size import FIRST_PUSH_ENTRIES, QUICK_ACKNOWLEDGEMENT_MS, SLOW_ACKNOWLEDGEMENT_MS, PushSize


@pytest.mark.parametrize(
    ("took_ms", "entries"),
    [
        (0, 64),
        (QUICK_ACKNOWLEDGEMENT_MS, 64),
        (QUICK_ACKNOWLEDGEMENT_MS + 1, 40),
        (SLOW_ACKNOWLEDGEMENT_MS - 1, 40),
        (SLOW_ACKNOWLEDGEMENT_MS, 16),
    ],
)
def test_the_answers_delay_decides_the_next_size(took_ms: int, entries: int) -> None:
    size = PushSize()
    assert size.entries == FIRST_PUSH_ENTRIES
    size.answered(took_ms)
    assert size.entries == entries


@given(st.integers(0, 2**31 - 1), st.lists(st.integers(0, 60_000), max_size=20))
def test_a_size_is_at_least_one_and_at_most_what_both_sides_allow(allowed: int, delays_ms: list[int]) -> None:
    size = PushSize()
    size.bound(allowed)
    for took_ms in delays_ms:
        assert 1 <= size.entries <= max(1, min(allowed, PUSH_ENTRIES_MAX))
        size.answered(took_ms)


def test_a_small_size_recovers_on_a_link_that_is_merely_far_away() -> None:
    size = PushSize()
    for _ in range(10):
        size.answered(SLOW_ACKNOWLEDGEMENT_MS)
    assert size.entries == 1
    for _ in range(40):
        size.answered(QUICK_ACKNOWLEDGEMENT_MS + 1)
    assert size.entries == PUSH_ENTRIES_MAX


def test_a_request_to_slow_down_never_makes_a_push_larger() -> None:
    size = PushSize()
    size.answered(SLOW_ACKNOWLEDGEMENT_MS)
    size.slow_down()
    assert size.entries == FIRST_PUSH_ENTRIES // 2
    for _ in range(4):
        size.answered(0)
    size.slow_down()
    assert size.entries == FIRST_PUSH_ENTRIES
