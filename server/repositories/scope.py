"""The SQL of a move between centres: where a child is enrolled now, and rows that go."""

from collections.abc import Iterable
from datetime import date

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.absences import Absence
from server.models.columns import TableRow
from server.models.people import ChildProfile, Person, PersonKind
from server.models.rooms import Center


async def centers_of_child(session: AsyncSession, external_id: str) -> list[Center]:
    """Give the centres that have a child with this id on their roster, by code."""
    statement = (
        select(Center)
        .join(Person, col(Person.center_id) == col(Center.id))
        .join(
            ChildProfile,
            (col(ChildProfile.center_id) == col(Person.center_id)) & (col(ChildProfile.child_id) == col(Person.id)),
        )
        .where(col(Person.kind) == PersonKind.CHILD.value, col(Person.external_id) == external_id)
    )
    return list(await session.exec(statement.order_by(col(Center.code))))


async def absences_not_over(session: AsyncSession, center_id: str, child_id: str, today: date) -> list[Absence]:
    """Give the absences of a child whose last day is not over, also withdrawn ones, in a fixed order."""
    statement = select(Absence).where(
        col(Absence.center_id) == center_id,
        col(Absence.child_id) == child_id,
        col(Absence.last_day) >= today,
    )
    return list(await session.exec(statement.order_by(col(Absence.id))))


async def put_absences(session: AsyncSession, rows: Iterable[Absence]) -> None:
    """Store absences, in the place of those with the same ids that a child had where it comes back to."""
    for row in rows:
        await session.merge(row)
    await session.flush()


async def take_out(session: AsyncSession, *waves: Iterable[TableRow]) -> None:
    """Delete rows wave by wave, each before the ones it refers to."""
    for wave in waves:
        for row in wave:
            await session.delete(row)
        await session.flush()
