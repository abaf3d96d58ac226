"""The calendar of a centre as planning asks it: which days are closed, and whose figures stand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from server.models.rooms import CalendarDays, CalendarKind, Center
from server.repositories import rosters
from server.repositories.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Calendar:
    """Closures and locks."""

    closures: tuple[tuple[date, date], ...] = ()
    locks: tuple[tuple[date, date, datetime], ...] = ()

    def is_closed(self, day: date) -> bool:
        """Whether the centre is closed on a day."""
        return any(first <= day <= last for first, last in self.closures)

    def locked_at(self, day: date) -> datetime | None:
        """Since when the figures of a day stand; by the first lock when there are several. None: they do not."""
        return min((at for first, last, at in self.locks if first <= day <= last), default=None)

    @property
    def last_locked_day(self) -> date | None:
        """The last day whose figures stand."""
        return max((last for _, last, _ in self.locks), default=None)


def calendar_of(rows: Iterable[CalendarDays]) -> Calendar:
    """Read the rows of a centre's calendar."""
    entries = list(rows)
    return Calendar(
        tuple((row.first_day, row.last_day) for row in entries if row.kind == CalendarKind.CLOSURE),
        tuple((row.first_day, row.last_day, row.at) for row in entries if row.kind == CalendarKind.LOCK),
    )


async def read_calendar(unit: UnitOfWork, center_id: str) -> Calendar:
    """Give the calendar of a centre as it is now; read it after what it is compared with is locked."""
    return calendar_of(await rosters.calendar(unit.session, center_id))


def today_at(center: Center, now: datetime) -> date:
    """Give the day on the calendar of a centre."""
    return now.astimezone(ZoneInfo(center.time_zone)).date()


def days_between(first: date, last: date) -> list[date]:
    """Give the days from the first to the last, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
