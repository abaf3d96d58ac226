"""When something that a centre offers takes place: local times of a calendar day, as moments; pure.

Whoever brings a child at eight does so by the clock on the wall, on either side of a change of the clocks. So a window
is kept in local times and becomes moments day by day.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from server.core.errors import InvalidInput

WEEKDAYS = 7
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment (UTC) up to, and without, another."""

    starts_at: datetime
    ends_at: datetime

    @property
    def minutes(self) -> int:
        """Its length; a minute that has begun is a whole one."""
        return -((self.starts_at - self.ends_at) // timedelta(minutes=1))

    def overlaps(self, other: "Span") -> bool:
        """Whether there is a moment that lies in both."""
        return self.starts_at < other.ends_at and other.starts_at < self.ends_at

    def holds(self, other: "Span") -> bool:
        """Whether the other lies in this one."""
        return self.starts_at <= other.starts_at and other.ends_at <= self.ends_at


@dataclass(frozen=True, slots=True)
class Window:
    """Local times on some weekdays (bit 0 is Monday); an end that is not after the begin is on the next day."""

    weekdays: int
    from_time: time
    to_time: time

    @property
    def is_over_night(self) -> bool:
        """Whether it ends on the day after."""
        return self.to_time <= self.from_time

    def is_on(self, day: date) -> bool:
        """Whether it begins on this day of the calendar."""
        return bool(self.weekdays >> day.weekday() & 1)

    def span(self, day: date, zone: ZoneInfo) -> Span:
        """Give its moments when it begins on a day, whichever weekday that is."""
        last = day + _DAY if self.is_over_night else day
        return Span(_begin(day, self.from_time, zone), _end(last, self.to_time, zone))

    def part(self, day: date, from_time: time, to_time: time, zone: ZoneInfo) -> Span:
        """Give the moments of a part of it, in local times; of a window over night the part may lie on either day.

        Raises:
            InvalidInput: the part does not lie in the window, or has no length.

        """
        first = day + _DAY if self.is_over_night and from_time < self.from_time else day
        is_next = to_time <= from_time
        if is_next and not self.is_over_night:
            raise InvalidInput("The end lies before the begin")
        last = first + _DAY if is_next else first
        span = Span(_begin(first, from_time, zone), _end(last, to_time, zone))
        if from_time == to_time or span.starts_at >= span.ends_at or not self.span(day, zone).holds(span):
            raise InvalidInput("The times do not lie within the hours of the service")
        return span


def mask_of(weekdays: list[int]) -> int:
    """Give the bits of weekdays by their numbers (ISO 8601: 1 is Monday). Raises InvalidInput."""
    if not weekdays or len(set(weekdays)) != len(weekdays) or not all(1 <= one <= WEEKDAYS for one in weekdays):
        raise InvalidInput("Name weekdays by their numbers, 1 for Monday to 7 for Sunday, each once and at least one")
    return sum(1 << (one - 1) for one in weekdays)


def weekdays_of(mask: int) -> list[int]:
    """Give the numbers of the weekdays whose bits are set."""
    return [one + 1 for one in range(WEEKDAYS) if mask >> one & 1]


def _begin(day: date, at: time, zone: ZoneInfo) -> datetime:
    # Fold 0: of an hour that comes twice the first one, and a time that is left out is as much later as is left out.
    return datetime.combine(day, at, zone).astimezone(UTC)


def _end(day: date, at: time, zone: ZoneInfo) -> datetime:
    # Of an hour that comes twice the second one: nobody is late who comes by the clock on the wall.
    return max(datetime.combine(day, at.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1))
