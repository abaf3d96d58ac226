"""The SQL of a centre's members of staff, one by one and page by page, and of the adult whom a desk's door knows."""

from typing import Final

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import Person, PersonKind, StaffProfile


async def find(session: AsyncSession, center_id: str, person_id: str) -> tuple[Person, StaffProfile] | None:
    """Give a member of staff of a centre, and hold the row to the end of the transaction."""
    statement = (
        select(Person, StaffProfile)
        .join(
            StaffProfile,
            (col(StaffProfile.center_id) == col(Person.center_id)) & (col(StaffProfile.person_id) == col(Person.id)),
        )
        .where(col(Person.center_id) == center_id, col(Person.id) == person_id)
        .with_for_update(of=StaffProfile)
    )
    return (await session.exec(statement)).one_or_none()


async def find_adult(session: AsyncSession, center_id: str, adult_id: str) -> Person | None:
    """Give a guardian or contact of a centre."""
    person = await session.get(Person, (center_id, adult_id))
    return person if person is not None and person.kind == PersonKind.ADULT else None


async def page(
    session: AsyncSession, center_id: str, *, after: str | None, limit: int
) -> list[tuple[Person, StaffProfile]]:
    """Give members of staff by name, behind one of them."""
    connection = await session.connection()
    parameters = {"center_id": center_id, "after": after, "limit": limit}
    ids = [str(row.id) for row in await connection.execute(_PAGE, parameters)]
    statement = (
        select(Person, StaffProfile)
        .join(
            StaffProfile,
            (col(StaffProfile.center_id) == col(Person.center_id)) & (col(StaffProfile.person_id) == col(Person.id)),
        )
        .where(col(Person.center_id) == center_id, col(Person.id).in_(ids))
    )
    found = {person.id: (person, profile) for person, profile in await session.exec(statement)}
    return [found[person_id] for person_id in ids if person_id in found]


_PAGE: Final = text("""
    SELECT id FROM person
    WHERE center_id = :center_id AND kind = 'staff'
      AND (CAST(:after AS uuid) IS NULL OR (family_name, given_name, id) > (
          SELECT family_name, given_name, id FROM person WHERE center_id = :center_id AND id = CAST(:after AS uuid)))
    ORDER BY family_name, given_name, id LIMIT :limit
""")
