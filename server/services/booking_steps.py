"""Steps inside a transaction that several use-cases of planning take: a booking ends, and who waits gets its place.

Whoever calls these holds the services concerned (`server.repositories.offers.lock`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from server.models.planning import Booking, BookingSource, BookingStatus, EndCause, Service
from server.repositories import bookings, offers
from server.repositories.unit_of_work import UnitOfWork
from server.services.booking_board import AHEAD_DAYS_MAX, answer_by, promoted, span_of
from server.services.day_windows import Span
from server.services.places import SPAN_MAX
from server.services.planning_calendar import read_calendar

# Beyond the last moment for which anybody can have a booking.
AHEAD: Final = timedelta(days=AHEAD_DAYS_MAX + 3)


@dataclass(frozen=True, slots=True)
class Ending:
    """How bookings end: in which status, why, when, by whom (None: by itself), and a word about it."""

    status: BookingStatus
    cause: EndCause
    at: datetime
    by: str | None = None
    reason: str = ""


def end(booking: Booking, ending: Ending) -> None:
    """End a booking; it is written when the transaction ends."""
    booking.status = ending.status.value
    booking.cause = ending.cause.value
    booking.reason = ending.reason
    booking.answer_by = None
    booking.changed_at = ending.at
    booking.changed_by = ending.by
    if ending.status in (BookingStatus.CANCELLED_BY_PARENT, BookingStatus.CANCELLED_BY_CENTRE):
        booking.cancelled_at = ending.at


async def promote(unit: UnitOfWork, service: Service, around: Span, now: datetime) -> list[str]:
    """Give free places to those who wait for a time that overlaps a span; returns the ids of their bookings.

    Where a place became free, only these can fit now who did not before.
    """
    await unit.session.flush()
    # Those that overlap a booking which overlaps the span.
    since, before = around.starts_at - SPAN_MAX, around.ends_at + SPAN_MAX
    live = await bookings.live(unit.session, service.center_id, [service.id], since=since, before=before)
    if not service.active:
        return []
    near = [one for one in live if one.status is not BookingStatus.WAITLISTED or span_of(one).overlaps(around)]
    found = promoted(near, service.capacity, now)
    requests = [one.id for one in found if service.needs_approval and one.source == BookingSource.PARENT]
    confirmed = [one.id for one in found if one.id not in set(requests)]
    await bookings.give_places(unit.session, service.center_id, confirmed, BookingStatus.CONFIRMED, now)
    for one in found:
        if one.id in requests and (row := await bookings.find(unit.session, service.center_id, one.id)) is not None:
            row.status = BookingStatus.REQUESTED.value
            row.changed_at, row.changed_by = now, None
            row.answer_by = answer_by(BookingStatus.REQUESTED, span_of(row), now)
    await unit.session.flush()
    return [one.id for one in found]


async def promote_all(unit: UnitOfWork, service: Service, now: datetime) -> list[str]:
    """Give free places to all who wait for a service, as after it got more of them."""
    return await promote(unit, service, Span(now, now + AHEAD), now)


async def end_all(unit: UnitOfWork, services: dict[str, Service], ended: Iterable[Booking], ending: Ending) -> int:
    """End bookings of services that are held, and give their places to who waits; returns how many ended."""
    rows = list(ended)
    spans: dict[str, list[Span]] = {}
    for row in rows:
        if row.status != BookingStatus.WAITLISTED:
            spans.setdefault(row.service_id, []).append(span_of(row))
        end(row, ending)
    for service_id, freed in sorted(spans.items()):
        around = Span(min(one.starts_at for one in freed), max(one.ends_at for one in freed))
        await promote(unit, services[service_id], around, ending.at)
    return len(rows)


async def close_days(unit: UnitOfWork, center_id: str, first: date, last: date, ending: Ending) -> int:
    """Cancel what is booked on days (both included) on which a centre closes; returns how many bookings ended.

    What was used stands, and so do days whose figures do.
    """
    services = await offers.lock_all(unit.session, center_id)
    rows = await bookings.unused_on_days(unit.session, center_id, first=first, last=last)
    calendar = await read_calendar(unit, center_id)
    return await end_all(unit, services, [row for row in rows if calendar.locked_at(row.day) is None], ending)
