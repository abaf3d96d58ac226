"""The SQL of the people whom a desk's door knows: one member of staff, one adult."""

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
