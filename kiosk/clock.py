"""The only place of the kiosk that asks the machine for the time, for luck, and which start of it this is."""

import secrets
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

Luck = Callable[[int], bytes]
"""Gives that many unpredictable bytes."""

# A laptop that was shut for a night has not been in touch for a night: the lease must count it, and it is no step of
# the wall clock. Linux has a clock that goes on while the machine sleeps, and so has macOS, under the plain name.
_RUNNING_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID_PATH: Final = Path("/proc/sys/kernel/random/boot_id")
_LUCK_BITS: Final = 74  # 128 minus 48 of time, 4 of version, 2 of variant
_LOW_BITS: Final = 62
_MILLISECONDS_MAX: Final = (1 << 48) - 1


class Clock(Protocol):
    """What the rest of the kiosk may know of time."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC, whatever this machine claims; may jump."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary start, the same until the machine restarts; never goes back."""
        ...

    def boot_id(self) -> str:
        """Which start of the machine `monotonic_ms` counts from."""
        ...


class SystemClock:
    """The machine's clock."""

    def __init__(self) -> None:
        self._boot_id = _read_boot_id()

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Milliseconds since the machine started, or thereabouts; where the system tells, also those it slept."""
        return time.clock_gettime_ns(_RUNNING_CLOCK) // 1_000_000

    def boot_id(self) -> str:
        """The kernel's id of this start, or one for this process where there is none."""
        return self._boot_id


def _read_boot_id() -> str:
    try:
        return _BOOT_ID_PATH.read_text(encoding="ascii").strip()[:64]
    except (OSError, UnicodeDecodeError):
        return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def fraction(luck: Luck) -> float:
    """Luck as a number in [0, 1)."""
    return int.from_bytes(luck(4), "big") / (1 << 32)


def random_uuid(luck: Luck) -> str:
    """A UUID version 4 in canonical form."""
    return str(uuid.UUID(bytes=luck(16), version=4))


class Ids:
    """UUIDs of version 7 that grow strictly within one process (RFC 9562 section 6.2, method 2)."""

    def __init__(self, clock: Clock, luck: Luck) -> None:
        self._clock = clock
        self._luck = luck
        self._last = -1

    def new(self) -> str:
        """The next id, 36 characters, later than all before it even when the clock steps back."""
        wall_ms = min(max(self._clock.wall_ms(), 0), _MILLISECONDS_MAX)
        luck_74 = int.from_bytes(self._luck(10), "big") >> (80 - _LUCK_BITS)
        self._last = max(wall_ms << _LUCK_BITS | luck_74, self._last + 1)
        moment, rest = self._last >> _LUCK_BITS, self._last & ((1 << _LUCK_BITS) - 1)
        high, low = rest >> _LOW_BITS, rest & ((1 << _LOW_BITS) - 1)
        return str(uuid.UUID(int=moment << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))
