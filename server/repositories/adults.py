"""The SQL of a centre's guardians and contacts."""

from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import Person, PersonKind


async def find(session: AsyncSession, center_id: str, adult_id: str) -> Person | None:
    """Give an adult of a centre."""
    person = await session.get(Person, (center_id, adult_id))
    return person if person is not None and person.kind == PersonKind.ADULT else None


async def page(session: AsyncSession, center_id: str, *, after: str | None, limit: int) -> list[Person]:
    """Give adults by name, behind one of them."""
    connection = await session.connection()
    parameters = {"center_id": center_id, "after": after, "limit": limit}
    ids = [str(row.id) for row in await connection.execute(_PAGE, parameters)]
    statement = select(Person).where(col(Person.center_id) == center_id, col(Person.id).in_(ids))
    found = {person.id: person for person in await session.exec(statement)}
    return [found[adult_id] for adult_id in ids if adult_id in found]


_PAGE: Final = text("""
    SELECT id FROM person
    WHERE center_id = :center_id AND kind = 'adult'
      AND (CAST(:after AS uuid) IS NULL OR (family_name, given_name, id) > (
          SELECT family_name, given_name, id FROM person WHERE center_id = :center_id AND id = CAST(:after AS uuid)))
    ORDER BY family_name, given_name, id LIMIT :limit
""")
