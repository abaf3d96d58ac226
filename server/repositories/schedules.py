"""The SQL of schedules: who comes regularly, and which of its days are booked already."""

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from server.models.planning import Booking, EndCause, Schedule, Service

# A thousand children with two patterns each; also what one page lists at most.
SCHEDULES_MAX: Final = 2_000


async def of_center(session: AsyncSession, center_id: str, *, child_id: str | None, since: date) -> list[Schedule]:
    """Give the schedules that have not ended before a day, of one child or of all, the earliest first."""
    statement = select(Schedule).where(
        col(Schedule.center_id) == center_id, or_(col(Schedule.last_day).is_(None), col(Schedule.last_day) >= since)
    )
    if child_id is not None:
        statement = statement.where(col(Schedule.child_id) == child_id)
    return list(await session.exec(_ordered(statement)))


async def of_service(session: AsyncSession, center_id: str, service_id: str, *, since: date) -> list[Schedule]:
    """Give the schedules of a service that have not ended before a day, those made first before others."""
    statement = select(Schedule).where(
        col(Schedule.center_id) == center_id,
        col(Schedule.service_id) == service_id,
        or_(col(Schedule.last_day).is_(None), col(Schedule.last_day) >= since),
    )
    return list(await session.exec(_ordered(statement)))


async def find(session: AsyncSession, center_id: str, schedule_id: str) -> Schedule | None:
    """Give a schedule by its id."""
    return await session.get(Schedule, (center_id, schedule_id), populate_existing=True)


async def add(session: AsyncSession, schedule: Schedule) -> None:
    """Store a new schedule."""
    session.add(schedule)
    await session.flush()


async def booked_days(
    session: AsyncSession, center_id: str, schedule_ids: Collection[str], *, first: date, last: date
) -> set[tuple[str, date]]:
    """Give which days of schedules have a booking, whatever became of it; those that a closure ended do not count."""
    statement = select(col(Booking.schedule_id), col(Booking.day)).where(
        col(Booking.center_id) == center_id,
        col(Booking.schedule_id).in_(list(schedule_ids)),
        col(Booking.day).between(first, last),
        col(Booking.cause) != EndCause.CLOSURE.value,
    )
    return {(schedule_id or "", day) for schedule_id, day in await session.exec(statement)}


async def services_with_schedules(session: AsyncSession, *, since: date) -> list[tuple[str, str]]:
    """Give the centre and the id of each service that is offered and has a schedule that has not ended."""
    statement = (
        select(col(Service.center_id), col(Service.id))
        .join(
            Schedule,
            (col(Schedule.center_id) == col(Service.center_id)) & (col(Schedule.service_id) == col(Service.id)),
        )
        .where(col(Service.active).is_(True), or_(col(Schedule.last_day).is_(None), col(Schedule.last_day) >= since))
        .distinct()
        .order_by(col(Service.center_id), col(Service.id))
    )
    return [(center_id, service_id) for center_id, service_id in await session.exec(statement)]


def _ordered(statement: SelectOfScalar[Schedule]) -> SelectOfScalar[Schedule]:
    return statement.order_by(col(Schedule.created_at), col(Schedule.id)).limit(SCHEDULES_MAX)
