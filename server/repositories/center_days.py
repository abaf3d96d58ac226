"""The SQL of a centre's calendar, and of who is still in when it closes."""

from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.rooms import CalendarDays, Center
from server.repositories.unit_of_work import Connection


@dataclass(frozen=True, slots=True)
class ClosingCenter:
    """A centre with a closing time on its own clock."""

    id: str
    time_zone: str
    closes_at: time


@dataclass(frozen=True, slots=True)
class OpenStay:
    """Somebody who is in: the stay, and the body of the event that began it."""

    stay_id: str
    subject_id: str
    body: bytes


async def center(session: AsyncSession, center_id: str) -> Center:
    """Give a centre that is known to be there."""
    return (await session.exec(select(Center).where(col(Center.id) == center_id))).one()


async def find(session: AsyncSession, center_id: str, days_id: str) -> CalendarDays | None:
    """Give an entry of the calendar by its id."""
    return await session.get(CalendarDays, (center_id, days_id))


async def add(session: AsyncSession, days: CalendarDays) -> None:
    """Store an entry of the calendar."""
    session.add(days)
    await session.flush()


async def remove(session: AsyncSession, days: CalendarDays) -> None:
    """Take an entry of the calendar away."""
    await session.delete(days)
    await session.flush()


async def subjects_between(connection: Connection, center_id: str, since: datetime, before: datetime) -> list[str]:
    """Give who came within a time."""
    parameters = {"center_id": center_id, "since": since, "before": before}
    return [str(row.subject_id) for row in await connection.execute(_SUBJECTS_BETWEEN, parameters)]


async def closing_centers(connection: Connection) -> list[ClosingCenter]:
    """Give every centre that has a closing time."""
    rows = await connection.execute(_CLOSING_CENTERS)
    return [ClosingCenter(str(row.id), row.time_zone, row.closes_at) for row in rows]


async def opening_centers(session: AsyncSession) -> list[Center]:
    """Give every centre that has an opening time."""
    statement = select(Center).where(col(Center.opens_at).is_not(None))
    return list(await session.exec(statement.order_by(col(Center.id))))


async def open_stays(connection: Connection, center_id: str, *, before: datetime, limit: int) -> list[OpenStay]:
    """Give those who came before a moment and are in by all that is known, the longest first."""
    parameters = {"center_id": center_id, "before": before, "limit": limit}
    rows = await connection.execute(_OPEN_STAYS, parameters)
    return [OpenStay(str(row.stay_id), str(row.subject_id), bytes(row.body)) for row in rows]


_SUBJECTS_BETWEEN: Final = text("""
    SELECT DISTINCT subject_id FROM stay
    WHERE center_id = :center_id AND started_at >= :since AND started_at < :before ORDER BY subject_id
""")
_CLOSING_CENTERS: Final = text("""
    SELECT id, time_zone, closes_at FROM center WHERE closes_at IS NOT NULL ORDER BY id
""")
_OPEN_STAYS: Final = text("""
    SELECT stay.stay_id, stay.subject_id, fact.body
    FROM stay JOIN attendance_event AS fact
      ON fact.center_id = stay.center_id AND fact.event_id = stay.check_in
    WHERE stay.center_id = :center_id AND stay.ended_at IS NULL AND stay.started_at < :before
    ORDER BY stay.started_at, stay.subject_id LIMIT :limit
""")
