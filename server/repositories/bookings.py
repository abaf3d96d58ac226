"""The SQL of bookings: who has a place when, who waits, and what became of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, exists, literal
from sqlalchemy import select as select_columns
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, func, select, tuple_, update
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.columns import TIMESTAMP, UUID_TEXT
from server.models.people import ChildProfile, Person, PersonKind
from server.models.planning import Booking, BookingStatus
from server.models.projections import StayRow

HELD: Final = (BookingStatus.REQUESTED, BookingStatus.CONFIRMED, BookingStatus.ATTENDED, BookingStatus.NO_SHOW)
"""Those that hold a place: a request does, or its answer would come too late."""

LIVE: Final = (*HELD, BookingStatus.WAITLISTED)
AHEAD: Final = (BookingStatus.REQUESTED, BookingStatus.WAITLISTED, BookingStatus.CONFIRMED)
"""Those that can still be cancelled."""

# A thousand places on every day of a year.
LIVE_MAX: Final = 400_000
# A statement takes 32,767 parameters; a row has twenty.
ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class LiveBooking:
    """A booking that holds a place or waits for one; `is_enrolled`: the child is still at the centre."""

    id: str
    child_id: str
    service_id: str
    starts_at: datetime
    ends_at: datetime
    status: BookingStatus
    source: str
    created_at: datetime
    is_enrolled: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A booking, and which in the row it is when it waits (1 is the next)."""

    booking: Booking
    waitlist_position: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which bookings: of days (both included), a child, a service, a status; an empty part asks for all.

    `updated_since` (aware) asks for those that were made or changed since.
    """

    first_day: date | None = None
    last_day: date | None = None
    child_id: str | None = None
    service_id: str | None = None
    status: str = ""
    updated_since: datetime | None = None


async def children(session: AsyncSession, center_id: str, child_ids: Collection[str]) -> dict[str, bool]:
    """Give those of some ids that are children of a centre, with whether each is enrolled."""
    statement = (
        select(col(Person.id), func.coalesce(col(ChildProfile.enrolled), False))
        .outerjoin(
            ChildProfile,
            and_(col(ChildProfile.center_id) == col(Person.center_id), col(ChildProfile.child_id) == col(Person.id)),
        )
        .where(
            col(Person.center_id) == center_id,
            col(Person.id).in_(list(child_ids)),
            col(Person.kind) == PersonKind.CHILD.value,
        )
    )
    return {child_id: bool(enrolled) for child_id, enrolled in await session.exec(statement)}


async def live(
    session: AsyncSession, center_id: str, service_ids: Collection[str], *, since: datetime, before: datetime
) -> list[LiveBooking]:
    """Give the bookings of services that hold a place or wait for one at some moment of `[since, before)`, by time."""
    statement = (
        select_columns(
            col(Booking.id), col(Booking.child_id), col(Booking.service_id), col(Booking.starts_at),
            col(Booking.ends_at), col(Booking.status), col(Booking.source), col(Booking.created_at),
            _is_enrolled(),
        )
        .where(
            col(Booking.center_id) == center_id,
            col(Booking.service_id).in_(list(service_ids)),
            col(Booking.status).in_(LIVE),
            col(Booking.starts_at) < before,
            col(Booking.ends_at) > since,
        )
        .order_by(col(Booking.starts_at), col(Booking.id))
        .limit(LIVE_MAX)
    )  # fmt: skip
    connection = await session.connection()
    return [
        LiveBooking(row[0], row[1], row[2], row[3], row[4], BookingStatus(row[5]), row[6], row[7], bool(row[8]))
        for row in await connection.execute(statement)
    ]


async def find(session: AsyncSession, center_id: str, booking_id: str) -> Booking | None:
    """Give a booking by its id, as it is in the table now."""
    return await session.get(Booking, (center_id, booking_id), populate_existing=True)


async def find_many(session: AsyncSession, center_id: str, booking_ids: Collection[str]) -> dict[str, Booking]:
    """Give bookings by their ids."""
    statement = select(Booking).where(col(Booking.center_id) == center_id, col(Booking.id).in_(list(booking_ids)))
    return {row.id: row for row in await session.exec(statement.order_by(col(Booking.id)))}


async def add(session: AsyncSession, rows: Sequence[Booking]) -> int:
    """Store new bookings, and give how many: an id that is there already stores nothing.

    They are taken in order of their ids, so that two who bring the same ones wait for each other in one order only.
    """
    connection, stored = await session.connection(), 0
    ordered = sorted(rows, key=lambda row: row.id)
    for first in range(0, len(ordered), ROWS_AT_ONCE):
        values = [row.model_dump() for row in ordered[first : first + ROWS_AT_ONCE]]
        statement = insert(Booking).values(values).on_conflict_do_nothing(index_elements=["center_id", "id"])
        stored += (await connection.execute(statement)).rowcount
    return stored


async def page(
    session: AsyncSession, center_id: str, wanted: Filter, *, after: tuple[datetime, str] | None, limit: int
) -> list[Listed]:
    """Give bookings by the moment at which they begin, behind a moment and an id."""
    statement = select(Booking, _position()).where(col(Booking.center_id) == center_id)
    for condition in _conditions(wanted):
        statement = statement.where(condition)
    if after is not None:
        statement = statement.where(tuple_(col(Booking.starts_at), col(Booking.id)) > _row(after))
    ordered = statement.order_by(col(Booking.starts_at), col(Booking.id)).limit(limit)
    return [_listed(booking, position) for booking, position in await session.exec(ordered)]


async def listed(session: AsyncSession, center_id: str, booking_ids: Collection[str]) -> dict[str, Listed]:
    """Give bookings by their ids, each with its place among those that wait."""
    statement = select(Booking, _position()).where(
        col(Booking.center_id) == center_id, col(Booking.id).in_(list(booking_ids))
    )
    rows = await session.exec(statement.order_by(col(Booking.id)).execution_options(populate_existing=True))
    return {booking.id: _listed(booking, position) for booking, position in rows}


async def of_child(
    session: AsyncSession, center_id: str, child_id: str, *, since: datetime, before: datetime
) -> list[Booking]:
    """Give all bookings of a child that have a moment in `[since, before)`, whatever became of them, by time."""
    statement = select(Booking).where(
        col(Booking.center_id) == center_id,
        col(Booking.child_id) == child_id,
        col(Booking.starts_at) < before,
        col(Booking.ends_at) > since,
    )
    ordered = statement.order_by(col(Booking.starts_at), col(Booking.id))
    return list(await session.exec(ordered.limit(LIVE_MAX)))


async def held_on(session: AsyncSession, center_id: str, *, since: datetime, before: datetime) -> list[Booking]:
    """Give the bookings of a centre that hold a place at some moment of `[since, before)`, by time."""
    statement = select(Booking).where(
        col(Booking.center_id) == center_id,
        col(Booking.status).in_(HELD),
        col(Booking.starts_at) < before,
        col(Booking.ends_at) > since,
    )
    ordered = statement.order_by(col(Booking.starts_at), col(Booking.id))
    return list(await session.exec(ordered.limit(LIVE_MAX)))


async def unused_on_days(session: AsyncSession, center_id: str, *, first: date, last: date) -> list[Booking]:
    """Give the bookings that begin on days of a centre and were not used, or not yet, by time."""
    statement = select(Booking).where(
        col(Booking.center_id) == center_id,
        col(Booking.day).between(first, last),
        col(Booking.status).in_((*AHEAD, BookingStatus.NO_SHOW)),
    )
    ordered = statement.order_by(col(Booking.starts_at), col(Booking.id))
    return list(await session.exec(ordered.limit(LIVE_MAX).execution_options(populate_existing=True)))


async def ahead_of_schedule(session: AsyncSession, center_id: str, schedule_id: str, *, behind: date) -> list[Booking]:
    """Give the bookings that a schedule made for days after one, and that can still be cancelled, by time."""
    statement = select(Booking).where(
        col(Booking.center_id) == center_id,
        col(Booking.schedule_id) == schedule_id,
        col(Booking.day) > behind,
        col(Booking.status).in_(AHEAD),
    )
    ordered = statement.order_by(col(Booking.starts_at), col(Booking.id))
    return list(await session.exec(ordered.limit(LIVE_MAX).execution_options(populate_existing=True)))


async def overdue(session: AsyncSession, now: datetime, *, limit: int) -> list[tuple[str, str]]:
    """Give the centre and the service of bookings that the passing of time ends; see `overdue_of`."""
    services = select(col(Booking.center_id), col(Booking.service_id)).where(_is_overdue(now)).distinct()
    ordered = services.order_by(col(Booking.center_id), col(Booking.service_id)).limit(limit)
    return [(center_id, service_id) for center_id, service_id in await session.exec(ordered)]


async def overdue_of(
    session: AsyncSession, center_id: str, service_id: str, now: datetime, *, limit: int
) -> list[tuple[Booking, bool]]:
    """Give the bookings of a service whose time is up, each with whether its child is enrolled.

    These are requests that nobody answered, those that waited until it began, and those ahead of children who have
    left.
    """
    statement = select(Booking, _is_enrolled()).where(
        col(Booking.center_id) == center_id, col(Booking.service_id) == service_id, _is_overdue(now)
    )
    ordered = statement.order_by(col(Booking.starts_at), col(Booking.id)).limit(limit)
    rows = await session.exec(ordered.execution_options(populate_existing=True))
    return [(booking, bool(is_enrolled)) for booking, is_enrolled in rows]


async def give_places(
    session: AsyncSession, center_id: str, booking_ids: Collection[str], status: BookingStatus, at: datetime
) -> None:
    """Let bookings that waited have a place."""
    statement = (
        update(Booking)
        .where(col(Booking.center_id) == center_id, col(Booking.id).in_(list(booking_ids)))
        .values(status=status.value, changed_at=at, changed_by=None, answer_by=None)
    )
    await (await session.connection()).execute(statement)


async def settle_used(session: AsyncSession, *, since: datetime, before: datetime, now: datetime) -> int:
    """Say of the bookings that ended in `[since, before)` whether the child came; returns how many changed.

    It follows from the stays as they are, so a fact that comes late, or a correction, changes it at the next run.
    """
    came = exists().where(
        col(StayRow.center_id) == col(Booking.center_id),
        col(StayRow.subject_id) == col(Booking.child_id),
        func.coalesce(col(StayRow.started_at), col(StayRow.ended_at)) < col(Booking.ends_at),
        func.coalesce(col(StayRow.ended_at), before) > col(Booking.starts_at),
    )
    changed = 0
    for status, condition in ((BookingStatus.ATTENDED, came), (BookingStatus.NO_SHOW, ~came)):
        statement = (
            update(Booking)
            .where(
                col(Booking.ends_at) >= since,
                col(Booking.ends_at) < before,
                col(Booking.status).in_([BookingStatus.CONFIRMED, BookingStatus.ATTENDED, BookingStatus.NO_SHOW]),
                col(Booking.status) != status.value,
                condition,
            )
            .values(status=status.value, changed_at=now, changed_by=None)
        )
        changed += (await (await session.connection()).execute(statement)).rowcount
    return changed


def _row(after: tuple[datetime, str]) -> Any:
    return tuple_(literal(after[0], TIMESTAMP), literal(after[1], UUID_TEXT))


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.first_day is not None:
        found.append(col(Booking.day) >= wanted.first_day)
    if wanted.last_day is not None:
        found.append(col(Booking.day) <= wanted.last_day)
    if wanted.child_id is not None:
        found.append(col(Booking.child_id) == wanted.child_id)
    if wanted.service_id is not None:
        found.append(col(Booking.service_id) == wanted.service_id)
    if wanted.status:
        found.append(col(Booking.status) == wanted.status)
    if wanted.updated_since is not None:
        found.append(func.coalesce(col(Booking.changed_at), col(Booking.created_at)) >= wanted.updated_since)
    return found


def _is_overdue(now: datetime) -> ColumnElement[bool]:
    status = col(Booking.status)
    is_unanswered = (status == BookingStatus.REQUESTED.value) & (col(Booking.answer_by) <= now)
    is_too_late = (status == BookingStatus.WAITLISTED.value) & (col(Booking.starts_at) <= now)
    has_left = status.in_(AHEAD) & (col(Booking.starts_at) > now) & ~_is_enrolled()
    return is_unanswered | is_too_late | has_left


def _is_enrolled() -> ColumnElement[bool]:
    return exists().where(
        col(ChildProfile.center_id) == col(Booking.center_id),
        col(ChildProfile.child_id) == col(Booking.child_id),
        col(ChildProfile.enrolled).is_(True),
    )


def _position() -> Any:
    """Which it is of those that want a place of the service at some moment of its time."""
    other = aliased(Booking)
    return (
        select(func.count())
        .where(
            col(other.center_id) == col(Booking.center_id),
            col(other.service_id) == col(Booking.service_id),
            col(other.status) == BookingStatus.WAITLISTED.value,
            col(other.starts_at) < col(Booking.ends_at),
            col(other.ends_at) > col(Booking.starts_at),
            tuple_(col(other.created_at), col(other.id)) <= tuple_(col(Booking.created_at), col(Booking.id)),
        )
        .correlate(Booking)
        .scalar_subquery()
    )


def _listed(booking: Booking, position: int) -> Listed:
    return Listed(booking, position if booking.status == BookingStatus.WAITLISTED else None)
