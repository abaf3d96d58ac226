"""The SQL of single people of a centre, with all that makes their record."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import Alert, ChildProfile, Person, StaffProfile


async def child(session: AsyncSession, center_id: str, child_id: str) -> tuple[Person, ChildProfile] | None:
    """Give a child that is on the roster of a centre."""
    statement = select(Person, ChildProfile).join(
        ChildProfile,
        (col(ChildProfile.center_id) == col(Person.center_id)) & (col(ChildProfile.child_id) == col(Person.id)),
    )
    wanted = statement.where(col(Person.center_id) == center_id, col(Person.id) == child_id)
    return (await session.exec(wanted)).one_or_none()


async def member_of_staff(session: AsyncSession, center_id: str, person_id: str) -> tuple[Person, StaffProfile] | None:
    """Give a member of staff of a centre."""
    statement = select(Person, StaffProfile).join(
        StaffProfile,
        (col(StaffProfile.center_id) == col(Person.center_id)) & (col(StaffProfile.person_id) == col(Person.id)),
    )
    wanted = statement.where(col(Person.center_id) == center_id, col(Person.id) == person_id)
    return (await session.exec(wanted)).one_or_none()


async def alerts(session: AsyncSession, center_id: str, child_id: str) -> list[Alert]:
    """Give the alerts of a child."""
    statement = select(Alert).where(col(Alert.center_id) == center_id, col(Alert.child_id) == child_id)
    return list(await session.exec(statement.order_by(col(Alert.external_id))))
