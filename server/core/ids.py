"""New identifiers: UUID version 7 (RFC 9562 section 5.7), made from a clock and luck given as arguments."""

import secrets
import uuid
from collections.abc import Callable

from server.core.clock import Clock

Luck = Callable[[int], bytes]
"""Gives that many unpredictable bytes."""

_LUCK_BITS = 74  # 128 minus 48 of time, 4 of version, 2 of variant
_MILLISECONDS_MAX = (1 << 48) - 1


def uuid7_from(wall_ms: int, luck_74: int) -> uuid.UUID:
    """Lay out a UUIDv7: 48 bits of Unix milliseconds, version, 12 bits, variant, 62 bits of luck.

    Raises ValueError when the time is before 1970 or does not fit 48 bits, or the luck not 74.
    """
    if not 0 <= wall_ms <= _MILLISECONDS_MAX:
        raise ValueError("the time does not fit the 48 bits of a UUIDv7")
    if not 0 <= luck_74 < 1 << _LUCK_BITS:
        raise ValueError("the luck does not fit the 74 bits of a UUIDv7")
    high, low = luck_74 >> 62, luck_74 & ((1 << 62) - 1)
    return uuid.UUID(int=wall_ms << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


class Ids:
    """Makes ids that grow within one process, also inside one millisecond or when the clock steps back.

    RFC 9562 section 6.2, method 2: time and luck are one number, and a number that would not grow is the
    last one plus one.
    """

    def __init__(self, clock: Clock, luck: Luck = secrets.token_bytes) -> None:
        """Take time from `clock` and unpredictable bytes from `luck`."""
        self._clock = clock
        self._luck = luck
        self._last = -1

    def new(self) -> str:
        """Make the next id in canonical lower-case form (36 characters)."""
        luck_74 = int.from_bytes(self._luck(10), "big") >> (80 - _LUCK_BITS)
        self._last = max(self._clock.wall_ms() << _LUCK_BITS | luck_74, self._last + 1)
        return str(uuid7_from(self._last >> _LUCK_BITS, self._last & ((1 << _LUCK_BITS) - 1)))
