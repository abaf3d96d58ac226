"""Figures over long periods: how many came, when, where, how it was recorded, and what looks odd.

Every figure is worked out when it is asked for, from tables that follow from the facts, so that a correction of last
year's entry changes last year's figure. What each counts is told in docs/analytics.md.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from server.core.asking import EVERYWHERE, asking_now, asks
from server.core.clock import Clock, datetime_of
from server.core.errors import InvalidInput
from server.models.rooms import Center
from server.repositories import absences, analytics, centers, offers, ratio
from server.repositories.analytics import Scope
from server.repositories.unit_of_work import Connection, UnitsOfWork
from server.services.analytics_anomalies import found_anomalies
from server.services.analytics_breaches import breaches_of
from server.services.analytics_figures import (
    AgeUse,
    Anomalies,
    Attendance,
    Breaches,
    CenterFigures,
    DayCount,
    Mark,
    MonthRecords,
    Occupancy,
    Period,
    Quarter,
    Records,
    Rooms,
    RoomUse,
    Times,
    Usage,
    share,
)
from server.services.analytics_usage import usage_of
from server.services.roster_records import ready_rules
from sync.records import day_bounds_ms

__all__ = ["BREACH_DAYS_MAX", "DAYS_MAX", "USAGE_DAYS_MAX", "Analytics"]

# Three years and a leap day: what a state asks to have at hand, and a statement reads within its time.
DAYS_MAX: Final = 3 * 365 + 1
# Each day is judged moment by moment, 70 ms of it on a slow machine, and an answer is waited for.
BREACH_DAYS_MAX: Final = 31
USAGE_DAYS_MAX: Final = 366
RETROACTIVE_MIN: Final = 15
SENT_LATE_MIN: Final = 60
PEOPLE_MAX: Final = 5_000
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099
_FULL_DAY: Final = timedelta(hours=24)

Figures = TypeVar("Figures")


class Analytics:
    """Answers questions about a centre over time."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    def today(self, center: Center) -> date:
        """Give the day that it is at a centre."""
        return self._clock.now().astimezone(ZoneInfo(center.time_zone)).date()

    async def attendance(self, center: Center, first: date, last: date) -> tuple[Period, Attendance]:
        """Give how many of the booked children came, by day.

        Raises:
            InvalidInput: the last day lies before the first, there are more than `DAYS_MAX`, or they lie outside 2000
                to 2099. So do the others.
            DatabaseUnavailable: it took too long.

        """
        return await self._asked(center, first, last, _attendance)

    async def occupancy(self, center: Center, first: date, last: date) -> tuple[Period, Occupancy]:
        """Give how full the centre is by weekday and quarter of an hour."""
        return await self._asked(center, first, last, lambda connection, scope: _occupancy(connection, scope, center))

    async def times(self, center: Center, first: date, last: date) -> tuple[Period, Times]:
        """Give when children come and go, and how that lies to their bookings."""
        return await self._asked(center, first, last, _times)

    async def rooms(self, center: Center, first: date, last: date) -> tuple[Period, Rooms]:
        """Give how much each room and each age is there."""
        return await self._asked(center, first, last, lambda connection, scope: _rooms(connection, scope, center))

    async def records(self, center: Center, first: date, last: date) -> tuple[Period, Records]:
        """Give how entries were made, by month."""
        return await self._asked(center, first, last, _records)

    async def anomalies(
        self, center: Center, first: date, last: date, others: Mapping[str, str]
    ) -> tuple[Period, Anomalies]:
        """Give what an auditor would look at; `others` are names of the centres that whoever asks manages, by id."""

        async def read(connection: Connection, scope: Scope) -> Anomalies:
            return await found_anomalies(connection, scope, others)

        # One of them looks beyond the centre: at the others of its organisation, which the statement says itself.
        with asks(replace(asking_now(), reach=EVERYWHERE)):
            return await self._asked(center, first, last, read)

    async def usage(self, center: Center, first: date, last: date) -> tuple[Period, Usage]:
        """Give what was used and what it comes to, of at most `USAGE_DAYS_MAX` days."""
        scope = self._scope(center, first, last, days_max=USAGE_DAYS_MAX)
        async with self._units.begin() as unit:
            services = await offers.of_center(unit.session, center.id)
            terms = await offers.terms(unit.session, center.id, [one.id for one in services])
            booked = await analytics.booked(unit.connection, scope)
            stays = await analytics.stays(unit.connection, scope)
            away = await absences.standing(unit.session, center.id, scope.first_day, scope.last_day)
        figures = await asyncio.to_thread(usage_of, scope, (services, terms), booked, stays, away)
        return _period(scope), figures

    async def breaches(self, center: Center, first: date, last: date) -> tuple[Period, Breaches]:
        """Give when there were too few adults, of at most `BREACH_DAYS_MAX` days."""
        scope = self._scope(center, first, last, days_max=BREACH_DAYS_MAX)
        async with self._units.read() as connection:
            rules = ready_rules(center, await ratio.rules_read(connection, center.id))
            rooms = await centers.rooms_read(connection, center.id)
            people = await ratio.people(connection, center.id, limit=PEOPLE_MAX)
            stays = await analytics.stays(connection, scope)
        names = {room.id: room.name for room in rooms}
        figures = await asyncio.to_thread(breaches_of, scope, rules, people, stays, names)
        return _period(scope), figures

    async def of_centers(self, mine: Sequence[Center], first: date, last: date) -> list[tuple[Center, CenterFigures]]:
        """Give the rates of several centres beside each other, of at most `USAGE_DAYS_MAX` days of each."""
        found = []
        for center in mine:
            scope = self._scope(center, first, last, days_max=USAGE_DAYS_MAX)
            async with self._units.read() as connection:
                came, full = await _attendance(connection, scope), await _occupancy(connection, scope, center)
                recorded = await _records(connection, scope)
            figures = CenterFigures(
                as_of=scope.as_of,
                booked=came.total.booked,
                attendance_rate=came.attendance_rate,
                unexplained_rate=came.unexplained_rate,
                occupancy_rate=full.occupancy_rate,
                attested_share=recorded.attested_share,
                retroactive_share=recorded.retroactive_share,
                assumed_share=recorded.assumed_share,
            )
            found.append((center, figures))
        return found

    async def _asked(
        self, center: Center, first: date, last: date, read: Callable[[Connection, Scope], Awaitable[Figures]]
    ) -> tuple[Period, Figures]:
        scope = self._scope(center, first, last, days_max=DAYS_MAX)
        async with self._units.read() as connection:
            return _period(scope), await read(connection, scope)

    def _scope(self, center: Center, first: date, last: date, *, days_max: int) -> Scope:
        if not YEAR_MIN <= first.year <= last.year <= YEAR_MAX or last < first:
            raise InvalidInput(f"Ask from a day to a later one, in the years {YEAR_MIN} to {YEAR_MAX}")
        if (last - first).days >= days_max:
            raise InvalidInput(f"Ask for at most {days_max} days of this at once")
        since, _ = day_bounds_ms(first.isoformat(), center.time_zone)
        _, before = day_bounds_ms(last.isoformat(), center.time_zone)
        return Scope(
            center.id, center.time_zone, first, last, datetime_of(since), datetime_of(before), self._clock.now()
        )


def _period(scope: Scope) -> Period:
    return Period(scope.first_day, scope.last_day, scope.as_of)


async def _attendance(connection: Connection, scope: Scope) -> Attendance:
    days = tuple(
        DayCount(row.day, row.booked, row.attended, row.announced, row.unexplained, row.unbooked)
        for row in await analytics.attendance_by_day(connection, scope)
    )
    booked, attended, announced, unexplained, unbooked = (
        sum(getattr(day, name) for day in days)
        for name in ("booked", "attended", "announced", "unexplained", "unbooked")
    )
    return Attendance(
        days=days,
        total=DayCount(scope.last_day, booked, attended, announced, unexplained, unbooked),
        attendance_rate=share(attended, booked),
        announced_rate=share(announced, booked),
        unexplained_rate=share(unexplained, booked),
    )


async def _occupancy(connection: Connection, scope: Scope, center: Center) -> Occupancy:
    marks = tuple(
        Mark(
            row.weekday,
            row.minute,
            row.marks,
            round(float(row.present), 2),
            int(row.present_most),
            round(float(row.booked), 2),
            int(row.booked_most),
        )
        for row in await analytics.occupancy(connection, scope)
    )
    capacity = sum(room.capacity for room in await centers.rooms_read(connection, scope.center_id))
    days = await analytics.open_days(connection, scope)
    quarters = _open_hours(center) * 4
    inside = sum(mark.present * mark.marks for mark in marks if _is_open_at(center, mark.minute))
    return Occupancy(
        capacity=capacity,
        open_days=days,
        marks=marks,
        present_most=max((mark.present_most for mark in marks), default=0),
        occupancy_rate=share(inside, capacity * days * quarters),
    )


async def _times(connection: Connection, scope: Scope) -> Times:
    quarters = await analytics.arrivals(connection, scope)
    found = await analytics.punctuality(connection, scope)
    return Times(
        quarters=tuple(Quarter(row.minute, int(row.came), int(row.went)) for row in quarters),
        arrivals=found.arrivals,
        early=found.early,
        on_time=found.on_time,
        late=found.late,
        arrival_median_min=_minutes(found.arrival_median),
        departures=found.departures,
        after_end=found.after_end,
        long_after_end=found.long_after_end,
        minutes_after_end=int(found.minutes_after_end),
        departure_median_min=_minutes(found.departure_median),
    )


async def _rooms(connection: Connection, scope: Scope, center: Center) -> Rooms:
    rows = await analytics.rooms(connection, scope)
    hours = _open_hours(center) * await analytics.open_days(connection, scope)
    by_room: dict[str, float] = {}
    by_age: dict[int | None, float] = {}
    for row in rows:
        by_room[row.room_id] = by_room.get(row.room_id, 0) + float(row.minutes) / 60
        by_age[row.years] = by_age.get(row.years, 0) + float(row.minutes) / 60
    listed = [(room.id, room.name, room.capacity) for room in await centers.rooms_read(connection, scope.center_id)]
    known = {room_id for room_id, _, _ in listed}
    listed += [(room_id, "", 0) for room_id in sorted(by_room.keys() - known)]
    return Rooms(
        open_hours=round(hours, 2),
        rooms=tuple(
            RoomUse(room_id, name, capacity, round(used, 2), share(used, capacity * hours))
            for room_id, name, capacity in listed
            for used in (by_room.get(room_id, 0.0),)
        ),
        ages=tuple(
            AgeUse(years, round(by_age[years], 2))
            for years in sorted(by_age, key=lambda one: -1 if one is None else one)
        ),
    )


async def _records(connection: Connection, scope: Scope) -> Records:
    entries = await analytics.records(connection, scope, retroactive_min=RETROACTIVE_MIN, late_min=SENT_LATE_MIN)
    stays = {row.month: row for row in await analytics.assumed(connection, scope)}
    months = tuple(
        MonthRecords(
            row.month,
            row.entries,
            row.attested,
            row.retroactive,
            row.sent_late,
            *(
                (stays[row.month].stays, stays[row.month].assumed, stays[row.month].disputed)
                if row.month in stays
                else ()
            ),
        )
        for row in entries
    )

    def of(name: str, whole: Sequence[MonthRecords], base: str) -> float | None:
        return share(sum(getattr(one, name) for one in whole), sum(getattr(one, base) for one in whole))

    return Records(
        retroactive_min=RETROACTIVE_MIN,
        late_min=SENT_LATE_MIN,
        months=months,
        attested_share=of("attested", months, "entries"),
        retroactive_share=of("retroactive", months, "entries"),
        sent_late_share=of("sent_late", months, "entries"),
        assumed_share=of("assumed", months, "stays"),
        disputed_share=of("disputed", months, "stays"),
    )


def _open_hours(center: Center) -> float:
    """Hours a day; all of them when nobody said when the centre opens."""
    if center.opens_at is None or center.closes_at is None or center.closes_at <= center.opens_at:
        return _FULL_DAY / timedelta(hours=1)
    day = date(2024, 1, 10)
    open_for = datetime.combine(day, center.closes_at) - datetime.combine(day, center.opens_at)
    return open_for / timedelta(hours=1)


def _is_open_at(center: Center, minute: int) -> bool:
    if center.opens_at is None or center.closes_at is None or center.closes_at <= center.opens_at:
        return True
    return center.opens_at <= time(*divmod(minute, 60)) < center.closes_at


def _minutes(value: float | None) -> float | None:
    return None if value is None else round(float(value), 1)
