"""The SQL of what adults are to children."""

from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import Person, Relationship

RELATIONSHIPS_MAX: Final = 1_000


async def find(session: AsyncSession, center_id: str, child_id: str, adult_id: str) -> Relationship | None:
    """Give what an adult is to a child."""
    return await session.get(Relationship, (center_id, child_id, adult_id))


async def of_child(session: AsyncSession, center_id: str, child_id: str) -> list[tuple[Relationship, Person]]:
    """Give the relationships of a child with the adults: those who are called first, then by name."""
    statement = (
        select(Relationship, Person)
        .join(
            Person,
            (col(Person.center_id) == col(Relationship.center_id)) & (col(Person.id) == col(Relationship.adult_id)),
        )
        .where(col(Relationship.center_id) == center_id, col(Relationship.child_id) == child_id)
    )
    order = (col(Relationship.emergency_rank), col(Person.family_name), col(Person.given_name), col(Person.id))
    return list(await session.exec(statement.order_by(*order).limit(RELATIONSHIPS_MAX)))
