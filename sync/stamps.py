"""Hybrid logical timestamps: one number that never falls, close to wall time, without trusting it.

After Kulkarni et al., "Logical Physical Clocks", 2014: the upper 48 bits are milliseconds since 1970, the lower 16 a
counter for what shares a millisecond or follows a clock that stepped back.
"""

from typing import Final

from sync.limits import INT64_MAX, WALL_MS_MAX

COUNTER_BITS: Final = 16


def next_stamp(*, previous: int, wall_ms: int) -> int:
    """The stamp of the next entry: later than `previous` whatever the wall clock says; fits 63 bits."""
    wall = min(max(wall_ms, 0), WALL_MS_MAX)
    return min(max(previous + 1, wall << COUNTER_BITS), INT64_MAX)
