"""Who is expected on a day: children with a place, and those whose schedule has the day and is not booked yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of
from server.core.errors import InvalidInput
from server.models.planning import Booking, BookingStatus, Schedule, Service
from server.models.rooms import Center
from server.repositories import attendance_days, bookings, offers, schedules
from server.repositories.attendance_days import ListedChild
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.booking_board import span_of
from server.services.day_windows import Span
from server.services.planning_calendar import read_calendar, today_at
from server.services.schedules import occurrence
from sync.records import day_bounds_ms

__all__ = ["Expected", "ExpectedChild", "ExpectedDay", "ExpectedTime"]

CHILDREN_MAX: Final = 1_000
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099


@dataclass(frozen=True, slots=True)
class ExpectedTime:
    """When a child is expected, and by what: a booking, or a schedule whose day is not booked yet."""

    span: Span
    service_id: str
    service_code: str
    booking_id: str | None
    schedule_id: str | None
    status: BookingStatus | None


@dataclass(slots=True)
class ExpectedChild:
    """A child with its times of the day, by their begin; at least one."""

    child: ListedChild
    times: list[ExpectedTime] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ExpectedDay:
    """A day of a centre; nobody is expected when it is closed but those whose booking stands all the same."""

    day: date
    is_closed: bool
    children: tuple[ExpectedChild, ...]


class Expected:
    """Answers who should come."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    async def of_day(self, center: Center, day: date | None) -> ExpectedDay:
        """Give who is expected on a day (today at the centre when None), by name; at most a thousand children.

        A night that began the day before counts on both days. Raises InvalidInput for a day outside 2000 to 2099.
        """
        wanted = day or today_at(center, self._clock.now())
        if not YEAR_MIN <= wanted.year <= YEAR_MAX:
            raise InvalidInput(f"Ask for a day in the years {YEAR_MIN} to {YEAR_MAX}")
        since, before = map(datetime_of, day_bounds_ms(wanted.isoformat(), center.time_zone))
        async with self._units.begin() as unit:
            children = await attendance_days.children(unit.connection, center.id, child_id=None, limit=CHILDREN_MAX)
            services = {one.id: one for one in await offers.of_center(unit.session, center.id)}
            held = await bookings.held_on(unit.session, center.id, since=since, before=before)
            is_closed = (await read_calendar(unit, center.id)).is_closed(wanted)
            unbooked = [] if is_closed else await _unbooked(unit, center, wanted, services, held)
        found = {child.id: ExpectedChild(child) for child in children}
        for child_id, time in [*_booked(held, services), *unbooked]:
            if child_id in found and (found[child_id].child.enrolled or time.booking_id):
                found[child_id].times.append(time)
        expected = tuple(one for one in found.values() if one.times)
        for one in expected:
            one.times.sort(key=lambda time: (time.span.starts_at, time.service_code))
        return ExpectedDay(wanted, is_closed, expected)


def _booked(held: Iterable[Booking], services: dict[str, Service]) -> list[tuple[str, ExpectedTime]]:
    return [
        (
            one.child_id,
            ExpectedTime(
                span=span_of(one),
                service_id=one.service_id,
                service_code=services[one.service_id].code,
                booking_id=one.id,
                schedule_id=one.schedule_id,
                status=BookingStatus(one.status),
            ),
        )
        for one in held
    ]


async def _unbooked(
    unit: UnitOfWork, center: Center, day: date, services: dict[str, Service], held: Sequence[Booking]
) -> list[tuple[str, ExpectedTime]]:
    """What schedules have on a day that was not booked: it lies further ahead than the job has come."""
    rows = await schedules.of_center(unit.session, center.id, child_id=None, since=day)
    done = await schedules.booked_days(unit.session, center.id, [row.id for row in rows], first=day, last=day)
    zone = ZoneInfo(center.time_zone)
    found = []
    for row in rows:
        service = services[row.service_id]
        span = occurrence(row, service, day, zone) if service.active and (row.id, day) not in done else None
        is_held = span is not None and any(
            (one.child_id, one.service_id) == (row.child_id, row.service_id) and span_of(one).overlaps(span)
            for one in held
        )
        if span is not None and not is_held:
            found.append((row.child_id, _scheduled(row, service, span)))
    return found


def _scheduled(row: Schedule, service: Service, span: Span) -> ExpectedTime:
    return ExpectedTime(
        span=span,
        service_id=service.id,
        service_code=service.code,
        booking_id=None,
        schedule_id=row.id,
        status=None,
    )
