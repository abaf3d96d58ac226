"""Times as programs and people read them."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

_MINUTE_S: Final = 60


def rfc3339(at_ms: int | None) -> str | None:
    """A time for a program, UTC; None stays None, and so does a time that no calendar has."""
    if at_ms is None:
        return None
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None


def utc_offset_min(at_ms: int, time_zone: str) -> int:
    """How many minutes the centre's clocks are ahead of UTC at that time; 0 when the time is impossible."""
    try:
        moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    except (OverflowError, ValueError, OSError):
        return 0
    offset = moment.utcoffset()
    return int(offset.total_seconds()) // _MINUTE_S if offset else 0


def clock_words(at_ms: int | None, time_zone: str) -> str:
    """A time for a person: `07:41` in the centre's zone."""
    if at_ms is None:
        return "an unknown time"
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone)).strftime("%H:%M")


def day_words(at_ms: int | None, time_zone: str) -> str:
    """A day and a time for a person: `20 November 2026, 07:41` in the centre's zone."""
    if at_ms is None:
        return "an unknown time"
    try:
        moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(time_zone))
    except (OverflowError, ValueError, OSError):
        return "an impossible time"
    return f"{moment.day} {moment:%B %Y, %H:%M}"
