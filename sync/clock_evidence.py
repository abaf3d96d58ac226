"""What a device knows of its own clock: how far it is from the server's, and how sure that is."""

from typing import Final

import msgspec

# A round trip longer than this says little about clocks.
ROUND_TRIP_MAX_MS: Final = 10_000
# The wall and the monotonic clock may disagree by this much over one round trip; more means that somebody set the wall.
STEP_TOLERANCE_MS: Final = 1_000


class ClockEstimate(msgspec.Struct, frozen=True):
    """Server clock minus device clock in milliseconds, true to plus or minus `error_ms`."""

    offset_ms: int
    error_ms: int


def estimate_offset(
    *, sent_wall_ms: int, received_wall_ms: int, server_wall_ms: int, round_trip_ms: int
) -> ClockEstimate | None:
    """Cristian's algorithm (1989): the server's time belongs to the middle of the round trip.

    Returns None when the round trip is too long, or the device's wall clock was set in the middle of it.
    """
    stepped = abs((received_wall_ms - sent_wall_ms) - round_trip_ms) > STEP_TOLERANCE_MS
    if stepped or not 0 <= round_trip_ms <= ROUND_TRIP_MAX_MS:
        return None
    middle_ms = sent_wall_ms + round_trip_ms // 2
    return ClockEstimate(offset_ms=server_wall_ms - middle_ms, error_ms=round_trip_ms // 2 + 1)
