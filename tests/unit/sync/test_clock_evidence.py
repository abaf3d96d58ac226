"""The offset of a desk's clock, and when nothing can be said of it."""

from hypothesis import given
from hypothesis import strategies as st

from sync.clock_evidence import ROUND_TRIP_MAX_MS, ClockEstimate, estimate_offset
from tests.unit.sync.builders import NINE_MS


def test_the_servers_time_belongs_to_the_middle_of_the_round_trip() -> None:
    told = estimate_offset(sent_wall_ms=1_000, received_wall_ms=1_200, server_wall_ms=5_100, round_trip_ms=200)
    assert told == ClockEstimate(offset_ms=4_000, error_ms=101)


@given(
    offset_ms=st.integers(-(10**12), 10**12),
    there_ms=st.integers(0, ROUND_TRIP_MAX_MS // 2),
    back_ms=st.integers(0, ROUND_TRIP_MAX_MS // 2),
)
def test_the_true_offset_lies_within_the_error(offset_ms: int, there_ms: int, back_ms: int) -> None:
    told = estimate_offset(
        sent_wall_ms=NINE_MS,
        received_wall_ms=NINE_MS + there_ms + back_ms,
        server_wall_ms=NINE_MS + there_ms + offset_ms,
        round_trip_ms=there_ms + back_ms,
    )
    assert told is not None
    assert abs(told.offset_ms - offset_ms) <= told.error_ms


def test_a_long_round_trip_says_nothing() -> None:
    for round_trip_ms in (-1, ROUND_TRIP_MAX_MS + 1):
        received_ms = NINE_MS + round_trip_ms
        assert (
            estimate_offset(
                sent_wall_ms=NINE_MS,
                received_wall_ms=received_ms,
                server_wall_ms=NINE_MS,
                round_trip_ms=round_trip_ms,
            )
            is None
        )


def test_a_clock_that_was_set_in_the_middle_says_nothing() -> None:
    for step_ms in (-1_001, 1_001):
        told = estimate_offset(
            sent_wall_ms=NINE_MS,
            received_wall_ms=NINE_MS + 100 + step_ms,
            server_wall_ms=NINE_MS,
            round_trip_ms=100,
        )
        assert told is None
