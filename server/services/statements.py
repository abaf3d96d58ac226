"""What a child used in a period and what it comes to: worked out from bookings and facts whenever somebody asks.

Nothing of it is stored. Days whose figures stand are worked out from what the server had received when they were
locked; their bookings and terms cannot change any more, so the same lines come out for ever (decision 0034).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock, datetime_of, ms_of
from server.core.errors import InvalidInput, NotFound
from server.core.money import money_text
from server.models.absences import Absence
from server.models.planning import Booking, BookingStatus, Service, ServiceTerms, ServiceUnit, UsageRules
from server.models.rooms import Center
from server.repositories import absences, attendance_days, bookings, offers, usage_days
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services.booking_board import span_of, window_of
from server.services.places import SPAN_MAX
from server.services.planning_calendar import Calendar, days_between, read_calendar
from server.services.presence import received_of
from server.services.usage import USAGE_RULES, Booked, Offered, Remark, Stayed, Terms, UsageKind, UsageLine, usage
from server.services.usage_absences import Announced
from sync.limits import REPLICA_DAYS
from sync.presence import Received, subjects_known
from sync.records import day_bounds_ms
from sync.stays import Stay

__all__ = ["USAGE_RULES", "Remark", "Statement", "Statements", "UsageKind", "UsageLine"]

PERIOD_DAYS_MAX: Final = 62
FIRST_RULES: Final = 1
RULES_WITH_ABSENCES: Final = 2
# A hundred facts on each day of the period and of the days around it.
EVENTS_MAX: Final = 100 * (PERIOD_DAYS_MAX + 2 * REPLICA_DAYS + 1)
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099
_LOOK_BACK: Final = timedelta(days=REPLICA_DAYS)


@dataclass(frozen=True, slots=True)
class Statement:
    """The lines of a child in a period by day, and their sum in each currency, as text.

    `locked_days`: their lines are as they were known when they were locked; of `adjusted_days` among them something is
    known by now that would change a line. `unpriced` counts lines that no terms put a price on.
    """

    child_id: str
    first_day: date
    last_day: date
    as_of: datetime
    lines: tuple[UsageLine, ...]
    service_codes: Mapping[str, str]
    totals: Mapping[str, str]
    unpriced: int
    locked_days: tuple[date, ...]
    adjusted_days: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class _Basis:
    """All that the lines of a child follow from."""

    child_id: str
    zone: ZoneInfo
    booked: Sequence[Booked]
    services: Mapping[str, Offered]
    received: Sequence[Received]
    absences: Sequence[Announced]

    def lines(self, known_at: datetime, rules: int) -> list[UsageLine]:
        """Give the lines by what the server had received at a moment, as things stood then, by a version of the rules.

        What was announced needs no moment: of a day that is locked nothing can be announced or taken back any more.
        """
        subjects = subjects_known(self.received, ms_of(known_at))
        stays = [stay for one in subjects if one.subject_id == self.child_id for stay in one.attendance.stays]
        stayed = [_stayed(stay) for stay in stays if stay.check_in or stay.check_out]
        known = self.absences if rules >= RULES_WITH_ABSENCES else ()
        found = usage(self.booked, stayed, self.services, zone=self.zone, as_of=known_at, absences=known)
        return found if rules == USAGE_RULES else [replace(line, rules_version=rules) for line in found]


class Statements:
    """Tells what was used."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Read through `units`."""
        self._units = units
        self._clock = clock

    async def of_child(self, center: Center, child_id: str, first: date, last: date) -> Statement:
        """Give the statement of a child for days of a centre, both included, at most `PERIOD_DAYS_MAX`.

        Raises:
            NotFound: there is no such child.
            InvalidInput: the days end before they begin, are too many, or lie outside 2000 to 2099.

        """
        if not (first <= last and first.year >= YEAR_MIN and last.year <= YEAR_MAX):
            raise InvalidInput(f"Ask for a first day and a last one after it, in the years {YEAR_MIN} to {YEAR_MAX}")
        if (last - first).days >= PERIOD_DAYS_MAX:
            raise InvalidInput(f"Ask for at most {PERIOD_DAYS_MAX} days")
        as_of = self._clock.now()
        async with self._units.begin() as unit:
            if child_id not in await bookings.children(unit.session, center.id, [child_id]):
                raise NotFound("There is no such child at this centre")
            calendar = await read_calendar(unit, center.id)
            rules = await usage_days.rules(unit.session)
            basis = await _basis(unit, center, child_id, first, last)
        return _statement(basis, Locks(calendar, tuple(rules)), days_between(first, last), as_of)


@dataclass(frozen=True, slots=True)
class Locks:
    """Which days are locked, and by which rules each is charged."""

    calendar: Calendar
    rules: tuple[UsageRules, ...]

    def rules_of(self, day: date) -> int:
        """Give the version for a day: that which held when it was locked; of one that is not, the newest."""
        at = self.calendar.locked_at(day)
        if at is None:
            return USAGE_RULES
        return next((one.version for one in self.rules if one.locks_after < at), FIRST_RULES)


def _statement(basis: _Basis, locks: Locks, days: Sequence[date], as_of: datetime) -> Statement:
    locked_at = {day: at for day in days if (at := locks.calendar.locked_at(day)) is not None}
    rules = {day: locks.rules_of(day) for day in days}
    known = {(locked_at.get(day, as_of), rules[day]) for day in days}
    by_moment = {
        (moment, version): _by_day(basis.lines(moment, version))
        for moment, version in known | {(as_of, version) for version in rules.values()}
    }
    now = {day: by_moment[as_of, rules[day]].get(day, []) for day in days}
    chosen = {day: by_moment[locked_at.get(day, as_of), rules[day]].get(day, []) for day in days}
    lines = tuple(line for day in days for line in chosen[day])
    used = {line.service_id for line in lines if line.service_id}
    return Statement(
        child_id=basis.child_id,
        first_day=days[0],
        last_day=days[-1],
        as_of=as_of,
        lines=lines,
        service_codes={one.id: one.code for one in basis.services.values() if one.id in used},
        totals=_totals(lines),
        unpriced=sum(line.amount is None for line in lines),
        locked_days=tuple(sorted(locked_at)),
        adjusted_days=tuple(day for day in sorted(locked_at) if chosen[day] != now[day]),
    )


def _by_day(lines: Iterable[UsageLine]) -> dict[date, list[UsageLine]]:
    found: dict[date, list[UsageLine]] = {}
    for line in lines:
        found.setdefault(line.day, []).append(line)
    return found


def _totals(lines: Iterable[UsageLine]) -> dict[str, str]:
    sums: dict[str, Decimal] = {}
    for line in lines:
        if line.amount is not None and line.currency is not None:
            sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.amount
    return {currency: money_text(amount, currency) for currency, amount in sorted(sums.items())}


async def _basis(unit: UnitOfWork, center: Center, child_id: str, first: date, last: date) -> _Basis:
    since = datetime_of(day_bounds_ms(first.isoformat(), center.time_zone)[0])
    before = datetime_of(day_bounds_ms(last.isoformat(), center.time_zone)[1])
    rows = await bookings.of_child(unit.session, center.id, child_id, since=since - SPAN_MAX, before=before + SPAN_MAX)
    records = await attendance_days.event_records(
        unit.connection,
        center.id,
        since=since - _LOOK_BACK,
        before=before + _LOOK_BACK,
        child_id=child_id,
        limit=EVENTS_MAX,
    )
    return _Basis(
        child_id,
        ZoneInfo(center.time_zone),
        [booked_of(row) for row in rows],
        await _services(unit, center.id),
        received_of(records),
        [announced_of(row) for row in await absences.standing(unit.session, center.id, first, last, child_id=child_id)],
    )


async def _services(unit: UnitOfWork, center_id: str) -> dict[str, Offered]:
    services = await offers.of_center(unit.session, center_id)
    return offered_of(services, await offers.terms(unit.session, center_id, [one.id for one in services]))


def offered_of(services: Iterable[Service], rows: Iterable[ServiceTerms]) -> dict[str, Offered]:
    """Give services with their terms as usage depends on them, by id."""
    terms: dict[str, list[Terms]] = {}
    for row in rows:
        terms.setdefault(row.service_id, []).append(
            Terms(
                effective_from=row.effective_from,
                version=row.version,
                price=row.price,
                late_minute_price=row.late_minute_price,
                late_grace_min=row.late_grace_min,
                no_show_percent=row.no_show_percent,
                late_cancel_percent=row.late_cancel_percent,
                rounding_min=row.rounding_min,
                requires_booking=row.requires_booking,
            )
        )
    return {
        one.id: Offered(
            id=one.id,
            code=one.code,
            unit=ServiceUnit(one.unit),
            currency=one.currency,
            window=window_of(one),
            terms=tuple(terms.get(one.id, ())),
        )
        for one in services
    }


def announced_of(row: Absence) -> Announced:
    """Give an absence as usage depends on it; without a word of the family, it was told when it was written down."""
    return Announced(
        row.first_day, row.last_day, row.informed_at or row.created_at, billable=row.billable, justified=row.justified
    )


def booked_of(row: Booking) -> Booked:
    """Give a booking as usage depends on it."""
    return Booked(row.id, row.service_id, row.day, span_of(row), BookingStatus(row.status), row.chargeable)


def _stayed(stay: Stay) -> Stayed:
    ends = [fact.event.event_id for fact in (stay.check_in, stay.check_out) if fact is not None]
    return Stayed(
        id=ends[0],
        started_at=None if stay.started_at_ms is None else datetime_of(stay.started_at_ms),
        ended_at=None if stay.ended_at_ms is None else datetime_of(stay.ended_at_ms),
        event_ids=tuple(ends),
        assumed=stay.assumed,
        disputed=stay.disputed,
    )
