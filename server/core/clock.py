"""The only place of the server that asks the machine what time it is."""

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Clock(Protocol):
    """What the rest of the server may know of time."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC; may jump when the machine's clock is set."""
        ...

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary start; never goes back."""
        ...

    def now(self) -> datetime:
        """Return the wall time as an aware datetime in UTC, to the millisecond of `wall_ms`."""
        ...


def datetime_of(wall_ms: int) -> datetime:
    """Give the aware UTC datetime of milliseconds since the Unix epoch, exactly."""
    seconds, milliseconds = divmod(wall_ms, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000)


def ms_of(moment: datetime) -> int:
    """Give the whole milliseconds since the Unix epoch of an aware datetime."""
    return (moment - _EPOCH) // _MILLISECOND


def utc_offset_min(wall_ms: int, time_zone: str) -> int:
    """Give how many minutes the clocks of a zone (IANA name) are ahead of UTC at a moment; whole ones."""
    offset = datetime_of(wall_ms).astimezone(ZoneInfo(time_zone)).utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


class SystemClock:
    """The machine's clock."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Milliseconds since an arbitrary start."""
        return time.monotonic_ns() // 1_000_000

    def now(self) -> datetime:
        """Return the wall time as an aware datetime in UTC."""
        return datetime_of(self.wall_ms())
