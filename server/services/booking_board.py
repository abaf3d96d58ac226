"""Who has and who wants a place in some services, and what becomes of one more wish; pure.

The rows come in, decisions go out; the use-cases hold the services meanwhile (`server.repositories.offers.lock`).
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from server.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from server.models.planning import Booking, BookingSource, BookingStatus, Service, ServiceUnit
from server.models.rooms import Center
from server.repositories.bookings import LiveBooking
from server.services import places
from server.services.day_windows import Span, Window
from server.services.places import Waiting
from server.services.planning_calendar import Calendar, today_at

# A school year and the holidays after it.
AHEAD_DAYS_MAX: Final = 400
# What was forgotten is written down within the month, or it is not booked.
BACK_DAYS_MAX: Final = 31
# A request holds a place that somebody else may want.
ANSWER_WITHIN: Final = timedelta(hours=48)


class NoPlace(Conflict):
    """Nobody leaves, so nobody can come."""

    code = "no_place"
    title = "There is no free place"


class AlreadyBooked(Conflict):
    """The child has, or waits for, this service at this time."""

    code = "already_booked"
    title = "The child is booked at this time"


class IfFull(StrEnum):
    """What to do with a wish for which there is no place."""

    WAITLIST = "waitlist"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants a service for a child on a day; the moments (aware) are for services by the hour."""

    id: str
    child_id: str
    service_id: str
    day: date
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    if_full: IfFull = IfFull.WAITLIST

    @property
    def content(self) -> bytes:
        """A digest of all that was asked: the same id with another one is another wish (SHA-256)."""
        moments = [at.timestamp() if at else None for at in (self.starts_at, self.ends_at)]
        parts = [self.child_id, self.service_id, self.day.isoformat(), *moments, self.if_full.value]
        return hashlib.sha256(json.dumps(parts).encode()).digest()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants it, and as whom; a parent cannot book what has begun."""

    user_id: str
    source: BookingSource


def window_of(service: Service) -> Window:
    """Give the hours of a service."""
    return Window(service.weekdays, service.from_time, service.to_time)


def span_of(booking: Booking | LiveBooking) -> Span:
    """Give the time of a booking."""
    return Span(booking.starts_at, booking.ends_at)


class Board:
    """The live bookings of some services, one more with each that is put on it."""

    def __init__(
        self,
        center: Center,
        calendar: Calendar,
        services: Mapping[str, Service],
        children: Mapping[str, bool],
        live: Iterable[LiveBooking],
    ) -> None:
        """Begin with what there is; `children` are those of the centre, with whether each is enrolled."""
        self._center = center
        self._zone = ZoneInfo(center.time_zone)
        self._calendar = calendar
        self._services = services
        self._children = children
        self._held: dict[str, list[Span]] = {}
        self._of_child: dict[tuple[str, str], list[Span]] = {}
        for one in live:
            self._note(one.service_id, one.child_id, span_of(one), one.status)

    def decide(self, wish: Wish, asker: Asker, now: datetime) -> Booking:
        """Give the booking that a wish becomes, and put it on the board.

        Raises:
            NotFound: there is no such service or child.
            InvalidInput: the service does not take place then.
            Conflict: the centre is closed, the day's figures stand, the child is not enrolled, or it is too late.
            AlreadyBooked, NoPlace: as they say.

        """
        service = self._services.get(wish.service_id)
        if service is None:
            raise NotFound("There is no such service at this centre")
        self._check_child(wish.child_id)
        if not is_near(wish.day, today_at(self._center, now)):
            raise _invalid("/day", f"Book from {BACK_DAYS_MAX} days back to {AHEAD_DAYS_MAX} days ahead")
        span = self._span(wish, service)
        self._check_day(wish.day, service, span, asker, now)
        status = self.place(service, wish.child_id, span)
        if status is BookingStatus.WAITLISTED and wish.if_full is IfFull.REFUSE:
            raise NoPlace("All places are taken at this time; ask to be put on the waiting list")
        if status is BookingStatus.WAITLISTED and span.starts_at <= now:
            raise NoPlace("All places are taken, and it has begun")
        if status is BookingStatus.CONFIRMED and service.needs_approval and asker.source is BookingSource.PARENT:
            status = BookingStatus.REQUESTED
        self._note(service.id, wish.child_id, span, status)
        return Booking(
            center_id=self._center.id,
            id=wish.id,
            child_id=wish.child_id,
            service_id=service.id,
            day=wish.day,
            starts_at=span.starts_at,
            ends_at=span.ends_at,
            status=status.value,
            source=asker.source.value,
            content=wish.content,
            answer_by=answer_by(status, span, now),
            created_at=now,
            made_by=asker.user_id,
        )

    def place(self, service: Service, child_id: str, span: Span) -> BookingStatus:
        """Say whether one more has a place or has to wait. Raises AlreadyBooked."""
        if any(one.overlaps(span) for one in self._of_child.get((service.id, child_id), ())):
            raise AlreadyBooked("The child has this service at this time already, or waits for it")
        has_place = places.has_place(self._held.get(service.id, ()), span, service.capacity)
        return BookingStatus.CONFIRMED if has_place else BookingStatus.WAITLISTED

    def take(self, service: Service, child_id: str, span: Span, status: BookingStatus) -> None:
        """Put a booking on the board that was decided by `place`."""
        self._note(service.id, child_id, span, status)

    def _note(self, service_id: str, child_id: str, span: Span, status: BookingStatus) -> None:
        if status is not BookingStatus.WAITLISTED:
            self._held.setdefault(service_id, []).append(span)
        self._of_child.setdefault((service_id, child_id), []).append(span)

    def _check_child(self, child_id: str) -> None:
        if child_id not in self._children:
            raise NotFound("There is no such child at this centre")
        if not self._children[child_id]:
            raise Conflict("The child is not enrolled at this centre")

    def _check_day(self, day: date, service: Service, span: Span, asker: Asker, now: datetime) -> None:
        if not service.active:
            raise Conflict("This service is not offered any more")
        if not window_of(service).is_on(day):
            raise _invalid("/day", "The service does not take place on this weekday")
        if asker.source is BookingSource.PARENT and span.starts_at <= now:
            raise Conflict("It has begun; ask the centre")
        if self._calendar.is_closed(day):
            raise Conflict("The centre is closed on this day")
        if self._calendar.locked_at(day) is not None:
            raise Conflict("The figures of this day stand")

    def _span(self, wish: Wish, service: Service) -> Span:
        whole = window_of(service).span(wish.day, self._zone)
        if wish.starts_at is None and wish.ends_at is None:
            return whole
        if service.unit != ServiceUnit.HOUR:
            raise _invalid("/starts_at", "Only services by the hour are booked for other times than their own")
        if wish.starts_at is None or wish.ends_at is None:
            raise _invalid("/ends_at", "Give both moments, or none for the whole hours of the service")
        if any(at.second or at.microsecond for at in (wish.starts_at, wish.ends_at)):
            raise _invalid("/starts_at", "Give whole minutes")
        span = Span(wish.starts_at, wish.ends_at)
        if span.starts_at >= span.ends_at or not whole.holds(span):
            raise _invalid("/starts_at", "The times do not lie within the hours of the service on this day")
        return span


def is_near(day: date, today: date) -> bool:
    """Whether anybody may book on a day."""
    return -BACK_DAYS_MAX <= (day - today).days <= AHEAD_DAYS_MAX


def answer_by(status: BookingStatus, span: Span, now: datetime) -> datetime | None:
    """Give by when a request must be answered; None when it is none."""
    return min(now + ANSWER_WITHIN, span.starts_at) if status is BookingStatus.REQUESTED else None


def promoted(live: Iterable[LiveBooking], capacity: int, now: datetime) -> list[LiveBooking]:
    """Give who of those that wait gets a place now; nobody whose time has begun, or who has left the centre."""
    bookings = list(live)
    waiting = {
        one.id: one
        for one in bookings
        if one.status is BookingStatus.WAITLISTED and one.starts_at > now and one.is_enrolled
    }
    held = [span_of(one) for one in bookings if one.status is not BookingStatus.WAITLISTED]
    row = [Waiting(one.id, span_of(one), one.created_at) for one in waiting.values()]
    return [waiting[booking_id] for booking_id in places.promotions(row, held, capacity)]


def is_chargeable(status: BookingStatus, starts_at: datetime, free_hours: int | None, now: datetime) -> bool:
    """Whether a cancellation by the parent comes too late to be free.

    Only who has a place can be too late; without terms (`free_hours` None) it is always free.
    """
    if status is not BookingStatus.CONFIRMED or free_hours is None:
        return False
    return now > starts_at - timedelta(hours=free_hours)


def _invalid(pointer: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, (FieldProblem(pointer, detail),))
