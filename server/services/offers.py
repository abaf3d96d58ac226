"""What a centre offers: services, their places and hours, and their terms by day.

The noun is `service`; the modules are called offers, since `services` is the name of this layer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from server.core.clock import Clock
from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.core.etags import ANY_STATE, Expected, check_expected, etag_of
from server.models.planning import BookingStatus, Service, ServiceTerms, ServiceUnit
from server.models.rooms import Center
from server.repositories import bookings, centers, offers
from server.repositories.bookings import LiveBooking
from server.repositories.offers import SERVICES_MAX, TERMS_MAX
from server.repositories.unit_of_work import UnitOfWork, UnitsOfWork
from server.services import places
from server.services.access import User
from server.services.booking_board import span_of, window_of
from server.services.booking_steps import AHEAD, promote_all
from server.services.day_windows import Span
from server.services.planning_calendar import Calendar, days_between, read_calendar

__all__ = ["AvailableDay", "Offer", "OfferWish", "Offers", "Service", "ServiceTerms", "ServiceUnit", "TermsWish"]

AVAILABLE_DAYS_MAX: Final = 62
YEAR_MIN: Final = 2000
YEAR_MAX: Final = 2099
_DAYS_NAMED_MAX: Final = 10
# What a line of usage means follows from these, also of days whose figures stand.
_FIXED: Final = frozenset({"unit", "currency", "weekdays", "from_time", "to_time"})
_USED: Final = (BookingStatus.ATTENDED, BookingStatus.NO_SHOW)


@dataclass(frozen=True, slots=True)
class OfferWish:
    """How a service shall be; see `server.models.planning.Service`."""

    code: str
    name: str
    unit: ServiceUnit
    currency: str
    capacity: int
    weekdays: int
    from_time: time
    to_time: time
    room_id: str | None
    needs_approval: bool
    active: bool


@dataclass(frozen=True, slots=True)
class TermsWish:
    """What a service shall cost; see `server.models.planning.ServiceTerms`."""

    price: Decimal
    late_minute_price: Decimal
    late_grace_min: int
    no_show_percent: int
    late_cancel_percent: int
    cancel_free_hours: int
    rounding_min: int
    requires_booking: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A service with its terms, by the day from which they hold."""

    service: Service
    terms: tuple[ServiceTerms, ...]

    @property
    def etag(self) -> str:
        """The tag of this state of the service and all its terms."""
        versions = [f"{one.effective_from} {one.version}" for one in self.terms]
        stands = [getattr(self.service, one.name) for one in fields(OfferWish)]
        return etag_of("service", self.service.center_id, self.service.id, *stands, *versions)


@dataclass(frozen=True, slots=True)
class AvailableDay:
    """A service on a day: how many places are taken at the fullest moment, and how many wait.

    `span` is None on a day on which it does not take place; `is_closed` says when that is for a closure.
    """

    day: date
    span: Span | None
    is_closed: bool
    confirmed: int
    requested: int
    waitlisted: int
    free: int


class Offers:
    """Keeps the services of centres."""

    def __init__(self, units: UnitsOfWork, clock: Clock) -> None:
        """Write through `units`."""
        self._units = units
        self._clock = clock

    async def of_center(self, center: Center) -> list[Offer]:
        """Give the services of a centre by code, also those that are not offered any more."""
        async with self._units.begin() as unit:
            return await _offers(unit, center.id, await offers.of_center(unit.session, center.id))

    async def find(self, center: Center, service_id: str) -> Offer:
        """Give a service. Raises NotFound."""
        async with self._units.begin() as unit:
            return await _offer(unit, center.id, service_id)

    async def put(
        self, center: Center, user: User, service_id: str, wanted: OfferWish, expected: Expected | None = None
    ) -> Offer:
        """Make a service, or change it as a whole; more places go to those who wait, in the same transaction.

        What is booked stays as it was booked. `expected` None: there is no such service yet.

        Raises:
            PreconditionRequired: there is one, and nothing was expected.
            PreconditionFailed: it is not in a state that is expected, or not there.
            InvalidInput: the centre has no such room.
            Conflict: the code belongs to another service, the unit, the currency or the hours would change of one
                that has terms, the centre has too many services, or more places are taken than there shall be.

        """
        now = self._clock.now()
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            known = (await offers.lock(unit.session, center.id, [service_id])).get(service_id)
            check_expected((await _offer(unit, center.id, service_id)).etag if known else None, expected)
            await _check(unit, center, service_id, wanted)
            if known is None:
                row = Service(center_id=center.id, id=service_id, created_at=now, **_values(wanted))
                await offers.add(unit.session, row)
            else:
                await _refuse_change(unit, center, known, wanted, now)
                for name, value in _values(wanted).items():
                    setattr(known, name, value)
                await promote_all(unit, known, now)
            return await _offer(unit, center.id, service_id)

    async def put_terms(
        self,
        center: Center,
        user: User,
        service_id: str,
        day: date,
        wanted: TermsWish,
        *,
        expected: Expected = ANY_STATE,
    ) -> Offer:
        """Let terms hold from a day on, in the place of others that began on it.

        Raises:
            NotFound: there is no such service.
            PreconditionFailed: the service, or its terms, are not in a state that is expected.
            InvalidInput: the day lies outside 2000 to 2099.
            Conflict: the figures of the day, or of a later one, stand; or there are too many terms.

        """
        if not YEAR_MIN <= day.year <= YEAR_MAX:
            raise InvalidInput(f"Terms hold from a day in the years {YEAR_MIN} to {YEAR_MAX} on")
        now = self._clock.now()
        async with self._units.begin(actor=user.id, origin="api") as unit:
            await unit.lock_head(center.id)
            if await offers.find(unit.session, center.id, service_id) is None:
                raise NotFound("There is no such service at this centre")
            expected.require((await _offer(unit, center.id, service_id)).etag)
            _refuse_locked(await read_calendar(unit, center.id), day)
            standing = await offers.terms(unit.session, center.id, [service_id])
            row = next((one for one in standing if one.effective_from == day), None)
            if row is None and len(standing) >= TERMS_MAX:
                raise Conflict(f"A service has at most {TERMS_MAX} terms")
            values = _values(wanted)
            if row is None or any(getattr(row, name) != value for name, value in values.items()):
                version = await offers.newest_terms_version(unit.session, center.id, service_id) + 1
                values |= {"version": version, "created_at": now, "made_by": user.id}
                if row is None:
                    row = ServiceTerms(center_id=center.id, service_id=service_id, effective_from=day, **values)
                for name, value in values.items():
                    setattr(row, name, value)
                await offers.add(unit.session, row)
            return await _offer(unit, center.id, service_id)

    async def availability(self, center: Center, service_id: str, first: date, last: date) -> list[AvailableDay]:
        """Give how full a service is on days, both included, at most `AVAILABLE_DAYS_MAX`.

        Raises:
            NotFound: there is no such service.
            InvalidInput: the days end before they begin, are too many, or lie outside 2000 to 2099.

        """
        if not (first <= last and first.year >= YEAR_MIN and last.year <= YEAR_MAX):
            raise InvalidInput(f"Ask for a first day and a last one after it, in the years {YEAR_MIN} to {YEAR_MAX}")
        if (last - first).days >= AVAILABLE_DAYS_MAX:
            raise InvalidInput(f"Ask for at most {AVAILABLE_DAYS_MAX} days")
        zone = ZoneInfo(center.time_zone)
        async with self._units.begin() as unit:
            service = await offers.find(unit.session, center.id, service_id)
            if service is None:
                raise NotFound("There is no such service at this centre")
            window, calendar = window_of(service), await read_calendar(unit, center.id)
            whole = Span(window.span(first, zone).starts_at, window.span(last, zone).ends_at)
            live = await bookings.live(
                unit.session, center.id, [service_id], since=whole.starts_at, before=whole.ends_at
            )
        return [_available(service, day, calendar, live, zone) for day in days_between(first, last)]


def _available(
    service: Service, day: date, calendar: Calendar, live: Iterable[LiveBooking], zone: ZoneInfo
) -> AvailableDay:
    window, is_closed = window_of(service), calendar.is_closed(day)
    if is_closed or not service.active or not window.is_on(day):
        return AvailableDay(day, None, is_closed, confirmed=0, requested=0, waitlisted=0, free=0)
    span = window.span(day, zone)
    here = [one for one in live if span_of(one).overlaps(span)]
    waiting = [one for one in here if one.status is BookingStatus.WAITLISTED]
    requested = [span_of(one) for one in here if one.status is BookingStatus.REQUESTED]
    held = [span_of(one) for one in here if one.status is not BookingStatus.WAITLISTED]
    confirmed = [span_of(one) for one in here if one.status in (BookingStatus.CONFIRMED, *_USED)]
    return AvailableDay(
        day=day,
        span=span,
        is_closed=False,
        confirmed=places.peak(confirmed, span),
        requested=places.peak(requested, span),
        waitlisted=len(waiting),
        free=max(0, service.capacity - places.peak(held, span)),
    )


async def _check(unit: UnitOfWork, center: Center, service_id: str, wanted: OfferWish) -> None:
    others = [one for one in await offers.of_center(unit.session, center.id) if one.id != service_id]
    if any(one.code == wanted.code for one in others):
        raise Conflict("Another service of this centre has this code")
    if len(others) >= SERVICES_MAX:
        raise Conflict(f"A centre has at most {SERVICES_MAX} services")
    rooms = {room.id for room in await centers.rooms(unit.session, center.id)}
    if wanted.room_id is not None and wanted.room_id not in rooms:
        detail = "There is no such room at this centre"
        raise InvalidInput(detail, (FieldProblem("/room_id", detail),))


async def _refuse_change(unit: UnitOfWork, center: Center, known: Service, wanted: OfferWish, now: datetime) -> None:
    is_fixed = bool(await offers.terms(unit.session, center.id, [known.id]))
    if is_fixed and any(getattr(known, name) != value for name, value in _values(wanted).items() if name in _FIXED):
        raise Conflict("Unit, currency and hours of a service with terms do not change; make another service")
    if wanted.capacity >= known.capacity:
        return
    live = await bookings.live(unit.session, center.id, [known.id], since=now, before=now + AHEAD)
    held = [span_of(one) for one in live if one.status is not BookingStatus.WAITLISTED]
    zone = ZoneInfo(center.time_zone)
    moments = places.too_many(held, wanted.capacity)
    days = list(dict.fromkeys(max(one, now).astimezone(zone).date().isoformat() for one in moments))
    if days:
        named = ", ".join(days[:_DAYS_NAMED_MAX]) + (" and later" if len(days) > _DAYS_NAMED_MAX else "")
        raise Conflict(f"More than {wanted.capacity} places are taken on {named}: cancel there first")


def _refuse_locked(calendar: Calendar, day: date) -> None:
    last = calendar.last_locked_day
    if last is not None and day <= last:
        raise Conflict(f"The figures up to {last.isoformat()} stand; let terms begin on a later day")


def _values(wanted: OfferWish | TermsWish) -> dict[str, Any]:
    values = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
    return {name: value.value if isinstance(value, ServiceUnit) else value for name, value in values.items()}


async def _offer(unit: UnitOfWork, center_id: str, service_id: str) -> Offer:
    service = await offers.find(unit.session, center_id, service_id)
    if service is None:
        raise NotFound("There is no such service at this centre")
    return (await _offers(unit, center_id, [service]))[0]


async def _offers(unit: UnitOfWork, center_id: str, services: list[Service]) -> list[Offer]:
    rows = await offers.terms(unit.session, center_id, [one.id for one in services])
    return [Offer(one, tuple(row for row in rows if row.service_id == one.id)) for one in services]
