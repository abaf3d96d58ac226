"""The SQL of calendar feeds: whose they are, and the bookings in them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.calendar_feeds import CalendarFeed
from server.models.planning import BookingStatus
from server.repositories.unit_of_work import Connection

# A family with four children, each with two bookings on every day of a year.
EVENTS_MAX: Final = 3_000
SHOWN: Final = (
    BookingStatus.REQUESTED, BookingStatus.WAITLISTED, BookingStatus.CONFIRMED, BookingStatus.ATTENDED,
    BookingStatus.NO_SHOW,
)  # fmt: skip
"""What was cancelled or declined is not there any more, as a calendar program expects."""


@dataclass(frozen=True, slots=True)
class FeedBooking:
    """A booking of a child, and what is booked."""

    id: str
    child_id: str
    service_name: str
    starts_at: datetime
    ends_at: datetime
    status: BookingStatus
    changed_at: datetime


async def of_user(session: AsyncSession, user_id: str) -> CalendarFeed | None:
    """Give the feed of an account."""
    return await session.get(CalendarFeed, user_id)


async def find(session: AsyncSession, token_hash: bytes) -> CalendarFeed | None:
    """Give the feed of an address by the hash of what is in it."""
    return (await session.exec(select(CalendarFeed).where(col(CalendarFeed.token_hash) == token_hash))).one_or_none()


async def put(session: AsyncSession, feed: CalendarFeed) -> None:
    """Store the feed of an account in the place of the one it had."""
    await remove(session, feed.user_id)
    session.add(feed)
    await session.flush()


async def remove(session: AsyncSession, user_id: str) -> bool:
    """Take the feed of an account away; whether there was one."""
    statement = delete(CalendarFeed).where(col(CalendarFeed.user_id) == user_id)
    return (await session.exec(statement)).rowcount > 0


async def note_reading(session: AsyncSession, user_id: str, *, now: datetime) -> None:
    """Write down that a feed was read."""
    statement = update(CalendarFeed).where(col(CalendarFeed.user_id) == user_id)
    await session.exec(statement.values(last_read_at=now))


async def bookings(
    connection: Connection, center_id: str, child_ids: Collection[str], *, since: datetime, before: datetime
) -> Sequence[FeedBooking]:
    """Give the bookings of children at a centre that begin in `[since, before)`, by time."""
    parameters = {
        "center_id": center_id, "child_ids": list(child_ids), "since": since, "before": before,
        "statuses": [one.value for one in SHOWN], "limit": EVENTS_MAX,
    }  # fmt: skip
    return [
        FeedBooking(
            id=str(row.id),
            child_id=str(row.child_id),
            service_name=row.name,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            status=BookingStatus(row.status),
            changed_at=row.changed_at,
        )
        for row in await connection.execute(_BOOKINGS, parameters)
    ]


_BOOKINGS: Final = text("""
    SELECT booking.id, booking.child_id, service.name, booking.starts_at, booking.ends_at, booking.status,
           coalesce(booking.changed_at, booking.created_at) AS changed_at
    FROM booking JOIN service ON service.center_id = booking.center_id AND service.id = booking.service_id
    WHERE booking.center_id = :center_id AND booking.child_id = ANY(CAST(:child_ids AS uuid[]))
      AND booking.starts_at >= :since AND booking.starts_at < :before
      AND booking.status = ANY(CAST(:statuses AS text[]))
    ORDER BY booking.starts_at, booking.id LIMIT :limit
""")
