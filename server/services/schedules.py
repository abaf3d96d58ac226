"""Schedules: who comes regularly. Their days become bookings some weeks ahead, by a job or when somebody asks.

A day of a schedule is booked once. Whatever becomes of that booking, it is not made again; only a closure that was
taken back lets its days be booked anew. A schedule is never changed: it ends, and another begins.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.models.planning import (
    Booking,
    BookingSource,
    BookingStatus,
    EndCause,
    Schedule,
    Service,
    ServiceUnit,
)
from server.models.rooms import Center
from server.repositories import bookings, centers, offers, schedules
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.access import User
from server.services.booking_board import AlreadyBooked, Board, window_of
from server.services.booking_steps import Ending, end_all
from server.services.day_windows import Span, Window
from server.services.places import SPAN_MAX
from server.services.planning_calendar import days_between, read_calendar, today_at

__all__ = ["WEEKS_AHEAD", "WEEKS_MAX", "Made", "Schedule", "ScheduleWish", "Schedules"]

WEEKS_AHEAD: Final = 8
WEEKS_MAX: Final = 52
# From the first day of a baby to school.
YEARS: Final = timedelta(days=5 * 366)
_MARGIN: Final = timedelta(days=2)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """A child shall come on some weekdays (bit 0 is Monday) between two days; times are for services by the hour."""

    id: str
    child_id: str
    service_id: str
    weekdays: int
    first_day: date
    last_day: date | None = None
    from_time: time | None = None
    to_time: time | None = None

    @property
    def content(self) -> bytes:
        """A digest of all that was asked (SHA-256)."""
        parts = [
            self.child_id, self.service_id, self.weekdays, self.first_day.isoformat(),
            *(str(one) for one in (self.last_day, self.from_time, self.to_time)),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Made:
    """What became of the days of schedules: booked, waiting, left out for a closure, or because of another booking."""

    confirmed: int = 0
    waitlisted: int = 0
    closed: tuple[date, ...] = ()
    booked_already: tuple[date, ...] = ()


class Schedules:
    """Keeps who comes regularly."""

    def __init__(self, units: UnitsOfWork, clock: Clock, new_id: Callable[[], str]) -> None:
        """Write through `units`; `new_id` names the bookings."""
        self._units = units
        self._clock = clock
        self._new_id = new_id

    async def of_center(self, center: Center, child_id: str | None) -> list[Schedule]:
        """Give the schedules that have not ended, of one child or of all, those made first before others."""
        today = today_at(center, self._clock.now())
        async with self._units.begin() as unit:
            return await schedules.of_center(unit.session, center.id, child_id=child_id, since=today)

    async def create(self, center: Center, user: User, wish: ScheduleWish) -> tuple[Schedule, Made]:
        """Begin a schedule and book its first weeks. Asking again with the same id gives the same schedule.

        Raises:
            NotFound: there is no such service or child.
            InvalidInput: the days or times are not right, or the id belongs to another schedule.
            Conflict: the child is not enrolled, or the service is not offered.

        """
        now = self._clock.now()
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            service = (await offers.lock(unit.session, center.id, [wish.service_id])).get(wish.service_id)
            if service is None:
                raise NotFound("There is no such service at this centre")
            row = await schedules.find(unit.session, center.id, wish.id)
            if row is None:
                await _check(unit, center, service, wish, today_at(center, now))
                row = _row(center, user, wish, now)
                await schedules.add(unit.session, row)
            elif row.content != wish.content:
                detail = "This id belongs to another schedule; ids are used once, for ever"
                raise InvalidInput(detail, (FieldProblem("/id", detail),))
            return row, await self._book(unit, center, service, [row], WEEKS_AHEAD)

    async def book(self, center: Center, user: User, schedule_id: str, weeks: int) -> Made:
        """Book the days of a schedule up to so many weeks ahead, as far as they are not. Raises NotFound."""
        async with self._units.begin(actor=user.id, origin="api") as unit:
            service, row = await _held(unit, center, schedule_id)
            return await self._book(unit, center, service, [row], min(max(weeks, 1), WEEKS_MAX))

    async def end(self, center: Center, user: User, schedule_id: str, last_day: date) -> tuple[Schedule, int]:
        """Let a schedule end with a day, and give back what is booked after it; returns how many bookings ended.

        Raises:
            NotFound: there is no such schedule.
            Conflict: it ends earlier already.
            InvalidInput: the day lies in the past.

        """
        now = self._clock.now()
        today = today_at(center, now)
        async with self._units.begin(actor=user.id, origin="api") as unit:
            service, row = await _held(unit, center, schedule_id)
            if last_day > today + YEARS:
                raise InvalidInput("A schedule ends within five years")
            if last_day < today - timedelta(days=1):
                raise InvalidInput("A schedule ends yesterday at the earliest; what has been booked before was")
            if row.last_day is not None and row.last_day < last_day:
                raise Conflict("The schedule ends earlier; begin another one")
            row.last_day = last_day
            await unit.session.flush()
            ahead = await bookings.ahead_of_schedule(unit.session, center.id, row.id, behind=last_day)
            cancelled = Ending(BookingStatus.CANCELLED_BY_CENTRE, EndCause.SCHEDULE_ENDED, now, user.id)
            unused = [one for one in ahead if one.starts_at > now]
            return row, await end_all(unit, {service.id: service}, unused, cancelled)

    async def run(self) -> int:
        """Book what all schedules have within the next weeks; the job. Gives how many bookings were made.

        Doing it again makes none twice.
        """
        now = self._clock.now()
        async with self._units.begin() as unit:
            found = await schedules.services_with_schedules(unit.session, since=now.date() - timedelta(days=1))
        made = 0
        for center_id, service_id in found:
            async with self._units.begin(origin="job") as unit:
                center = await centers.find(unit.session, center_id)
                service = (await offers.lock(unit.session, center_id, [service_id])).get(service_id)
                if center is None or service is None or not service.active:
                    continue
                since = today_at(center, now)
                rows = await schedules.of_service(unit.session, center_id, service_id, since=since)
                outcome = await self._book(unit, center, service, rows, WEEKS_AHEAD)
            booked = outcome.confirmed + outcome.waitlisted
            made += booked
            if booked:
                _log.info("schedules_booked", center=center_id, service=service_id, bookings=booked)
        return made

    async def _book(
        self, unit: UnitOfWork, center: Center, service: Service, rows: Sequence[Schedule], weeks: int
    ) -> Made:
        """Book the days from today on; the service is held."""
        if not service.active:
            return Made()
        now, zone = self._clock.now(), ZoneInfo(center.time_zone)
        first = today_at(center, now)
        last = first + timedelta(weeks=weeks)
        calendar = await read_calendar(unit, center.id)
        known = await bookings.children(unit.session, center.id, {row.child_id for row in rows})
        since, before = (datetime.combine(day, time(), UTC) for day in (first, last))
        live = await bookings.live(
            unit.session, center.id, [service.id], since=since - _MARGIN, before=before + _MARGIN + SPAN_MAX
        )
        board = Board(center, calendar, {service.id: service}, known, live)
        ids = [row.id for row in rows]
        done = await schedules.booked_days(unit.session, center.id, ids, first=first, last=last)
        made: list[Booking] = []
        closed: list[date] = []
        booked_already: list[date] = []
        for day in days_between(first, last):
            for row in rows:
                span = occurrence(row, service, day, zone)
                if span is None or span.starts_at <= now or (row.id, day) in done or not known.get(row.child_id):
                    continue
                if calendar.is_closed(day):
                    closed.append(day)
                    continue
                try:
                    status = board.place(service, row.child_id, span)
                except AlreadyBooked:
                    booked_already.append(day)
                    continue
                board.take(service, row.child_id, span, status)
                made.append(_booking(row, self._new_id(), day, span, status, now))
        await bookings.add(unit.session, made)
        confirmed = sum(one.status == BookingStatus.CONFIRMED for one in made)
        return Made(confirmed, len(made) - confirmed, tuple(closed), tuple(booked_already))


def occurrence(row: Schedule, service: Service, day: date, zone: ZoneInfo) -> Span | None:
    """Give when a schedule has its service on a day, in moments; None when it has it not."""
    window = window_of(service)
    is_on = window.is_on(day) and Window(row.weekdays, service.from_time, service.to_time).is_on(day)
    if not is_on or day < row.first_day or (row.last_day is not None and day > row.last_day):
        return None
    if row.from_time is None or row.to_time is None:
        return window.span(day, zone)
    try:
        return window.part(day, row.from_time, row.to_time, zone)
    except InvalidInput:
        return None  # the service has other hours now, or the clocks leave out just these


async def _check(unit: UnitOfWork, center: Center, service: Service, wish: ScheduleWish, today: date) -> None:
    known = await bookings.children(unit.session, center.id, [wish.child_id])
    if wish.child_id not in known:
        raise NotFound("There is no such child at this centre")
    if not known[wish.child_id]:
        raise Conflict("The child is not enrolled at this centre")
    if not service.active:
        raise Conflict("This service is not offered any more")
    if wish.first_day < today or wish.first_day > today + timedelta(days=WEEKS_MAX * 7):
        raise _invalid("/first_day", "A schedule begins today at the earliest, and within a year")
    if wish.last_day is not None and not timedelta() <= wish.last_day - wish.first_day <= YEARS:
        raise _invalid("/last_day", "A schedule ends after it begins, and within five years")
    if not wish.weekdays & service.weekdays:
        raise _invalid("/weekdays", "The service takes place on none of these weekdays")
    if wish.from_time is None and wish.to_time is None:
        return
    if wish.from_time is None or wish.to_time is None or service.unit != ServiceUnit.HOUR:
        raise _invalid("/from_time", "Give both times, and only for a service by the hour")
    # Of a day without a change of the clocks.
    window_of(service).part(date(2024, 1, 10), wish.from_time, wish.to_time, ZoneInfo("UTC"))


async def _held(unit: UnitOfWork, center: Center, schedule_id: str) -> tuple[Service, Schedule]:
    """Hold the service of a schedule, and read the schedule as it is then."""
    known = await schedules.find(unit.session, center.id, schedule_id)
    if known is None:
        raise NotFound("There is no such schedule at this centre")
    services = await offers.lock(unit.session, center.id, [known.service_id])
    row = await schedules.find(unit.session, center.id, schedule_id)
    assert row is not None  # no schedule is ever removed
    return services[row.service_id], row


def _row(center: Center, user: User, wish: ScheduleWish, now: datetime) -> Schedule:
    return Schedule(
        center_id=center.id,
        id=wish.id,
        child_id=wish.child_id,
        service_id=wish.service_id,
        weekdays=wish.weekdays,
        first_day=wish.first_day,
        last_day=wish.last_day,
        from_time=wish.from_time,
        to_time=wish.to_time,
        content=wish.content,
        created_at=now,
        made_by=user.id,
    )


def _booking(row: Schedule, booking_id: str, day: date, span: Span, status: BookingStatus, now: datetime) -> Booking:
    return Booking(
        center_id=row.center_id,
        id=booking_id,
        child_id=row.child_id,
        service_id=row.service_id,
        schedule_id=row.id,
        day=day,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        status=status.value,
        source=BookingSource.SCHEDULE.value,
        created_at=now,
        made_by=row.made_by,
    )


def _invalid(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, (FieldProblem(pointer, detail),))
