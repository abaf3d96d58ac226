"""Full jitter, and the server's advice above it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.backoff import delay_ms
from sync.limits import ADVISED_WAIT_MAX_MS, BACKOFF_FIRST_MS, BACKOFF_MAX_MS, WELCOME_DEADLINE_MS

ALMOST_ONE = 1 - 2**-53
luck = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(("failures", "most"), [(1, 1), (2, 2), (5, 16), (6, 20), (7, 20), (10**9, 20)])
def test_the_ceiling_doubles_up_to_twenty_seconds(failures: int, most: int) -> None:
    assert delay_ms(failures=failures, luck=ALMOST_ONE) == pytest.approx(most * 1_000, abs=1)


@given(st.integers(1, 10**6), luck)
def test_a_delay_is_bounded_and_never_nothing(failures: int, luck: float) -> None:
    assert 1 <= delay_ms(failures=failures, luck=luck) <= BACKOFF_MAX_MS


@given(st.integers(0, 2**31), luck)
def test_advice_is_kept_and_at_most_half_of_it_is_added(advised_ms: int, luck: float) -> None:
    kept_ms = min(advised_ms, ADVISED_WAIT_MAX_MS)
    assert kept_ms <= delay_ms(failures=9, luck=luck, advised_ms=advised_ms) <= kept_ms * 1.5


def test_desks_that_were_told_the_same_come_back_spread_out() -> None:
    delays = {delay_ms(failures=1, luck=step / 100, advised_ms=2_000) for step in range(100)}
    assert len(delays) == 100
    assert max(delays) - min(delays) >= BACKOFF_FIRST_MS * 0.9


def test_two_of_the_longest_waits_and_a_dial_that_fails_leave_time_to_be_equal_within_a_minute() -> None:
    assert 2 * BACKOFF_MAX_MS + WELCOME_DEADLINE_MS <= 50_000
