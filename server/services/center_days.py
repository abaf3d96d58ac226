"""Days on which a centre is closed, and days whose figures stand: they reach every desk, and judge what is recorded."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of
from server.core.errors import Conflict, InvalidInput, NotFound
from server.models.planning import BookingStatus, EndCause
from server.models.rooms import CalendarDays, CalendarKind, Center
from server.repositories import center_days, offers, ratio, rosters
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import roster_records
from server.services.access import User
from server.services.booking_steps import Ending, close_days
from server.services.projections import refold
from sync.records import Entity, day_bounds_ms

__all__ = ["CalendarDays", "CalendarKind", "CenterDays", "Days"]

# Ten years of months and of holidays; all of them travel in one record of at most 64 KiB.
ENTRIES_MAX: Final = 400
DAYS_MAX: Final = 366
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099


@dataclass(frozen=True, slots=True)
class Days:
    """Some days, both ends included, and a word about them."""

    first_day: date
    last_day: date
    reason: str = ""


class CenterDays:
    """Keeps the calendar of a centre."""

    def __init__(self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str]) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock
        self._new_id = new_id

    async def of_center(self, center: Center, kind: CalendarKind) -> list[CalendarDays]:
        """Give the closures or the locks of a centre, the earliest first."""
        async with self._units.begin() as unit:
            return [days for days in await rosters.calendar(unit.session, center.id) if days.kind == kind]

    async def close(self, center: Center, user: User, days: Days) -> CalendarDays:
        """Say that the centre is closed: its bookings are cancelled, and who was there all the same is judged anew.

        Raises:
            InvalidInput: the days end before they begin, are more than a year, or lie outside 2000 to 2099.
            Conflict: the calendar is full.

        """
        return await self._add(center, user, days, CalendarKind.CLOSURE)

    async def lock(self, center: Center, user: User, days: Days) -> CalendarDays:
        """Let the figures of some days stand: what the server gets from now on becomes an adjustment of them.

        Raises:
            InvalidInput: as `close`, or the days are not over yet at the centre.
            Conflict: the calendar is full.

        """
        today = self._clock.now().astimezone(ZoneInfo(center.time_zone)).date()
        if days.last_day >= today:
            raise InvalidInput("Only days that are over can be locked")
        return await self._add(center, user, days, CalendarKind.LOCK)

    async def open_again(self, center: Center, user: User, days_id: str) -> None:
        """Take a closure back. Raises NotFound; a lock is never taken back."""
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            found = await center_days.find(unit.session, center.id, days_id)
            if found is None or found.kind != CalendarKind.CLOSURE:
                raise NotFound("The centre has no such closure")
            days = Days(found.first_day, found.last_day)
            await center_days.remove(unit.session, found)
            await self._tell(unit, center, days)

    async def _add(self, center: Center, user: User, days: Days, kind: CalendarKind) -> CalendarDays:
        _check(days)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            if len(await rosters.calendar(unit.session, center.id)) >= ENTRIES_MAX:
                raise Conflict(f"The calendar holds {ENTRIES_MAX} entries, and that is all it can")
            row = CalendarDays(
                center_id=center.id,
                id=self._new_id(),
                kind=kind.value,
                first_day=days.first_day,
                last_day=days.last_day,
                reason=days.reason,
                at=self._clock.now(),
                made_by=user.id or None,
            )
            await center_days.add(unit.session, row)
            await self._tell(unit, center, days)
            await _tell_bookings(unit, row)
        return row

    async def _tell(self, unit: UnitOfWork, center: Center, days: Days) -> None:
        """Put the centre's record into the log, and fold again whoever came on these days."""
        row = await center_days.center(unit.session, center.id)
        calendar = await rosters.calendar(unit.session, center.id)
        rules = await ratio.rules_of(unit.session, center.id)
        record = roster_records.checked(roster_records.center_record(row, calendar, rules))
        unit.put(center.id, Entity.CENTER, center.id, record)
        since_ms, _ = day_bounds_ms(days.first_day.isoformat(), row.time_zone)
        _, before_ms = day_bounds_ms(days.last_day.isoformat(), row.time_zone)
        concerned = await center_days.subjects_between(
            unit.connection, center.id, datetime_of(since_ms), datetime_of(before_ms)
        )
        await refold(unit.connection, center.id, concerned)


async def _tell_bookings(unit: UnitOfWork, row: CalendarDays) -> None:
    """Cancel what is booked on days that are closed now; and let nobody book meanwhile on days that are locked."""
    if row.kind == CalendarKind.LOCK:
        await offers.lock_all(unit.session, row.center_id)
        return
    ending = Ending(BookingStatus.CANCELLED_BY_CENTRE, EndCause.CLOSURE, row.at, row.made_by, row.reason)
    await close_days(unit, row.center_id, row.first_day, row.last_day, ending)


def _check(days: Days) -> None:
    if days.last_day < days.first_day:
        raise InvalidInput("The last day lies before the first")
    if not YEAR_MIN <= days.first_day.year <= days.last_day.year <= YEAR_MAX:
        raise InvalidInput(f"Give days in the years {YEAR_MIN} to {YEAR_MAX}")
    if (days.last_day - days.first_day).days >= DAYS_MAX:
        raise InvalidInput(f"Give at most {DAYS_MAX} days at once")
