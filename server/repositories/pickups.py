"""The SQL of who may collect whom."""

from datetime import date
from typing import Final

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import Person, PickupAuthorisation, PickupStatus, Relationship

PICKUPS_MAX: Final = 1_000

PickupRows = tuple[PickupAuthorisation, Relationship, Person]
"""An authorisation, what the adult is to the child, and the adult."""


async def find(session: AsyncSession, center_id: str, pickup_id: str) -> PickupAuthorisation | None:
    """Give an authorisation by its id."""
    return await session.get(PickupAuthorisation, (center_id, pickup_id))


async def of_pair(session: AsyncSession, center_id: str, child_id: str, adult_id: str) -> PickupAuthorisation | None:
    """Give the authorisation of an adult for a child."""
    statement = select(PickupAuthorisation).where(
        col(PickupAuthorisation.center_id) == center_id,
        col(PickupAuthorisation.child_id) == child_id,
        col(PickupAuthorisation.adult_id) == adult_id,
    )
    return (await session.exec(statement)).one_or_none()


async def rows(session: AsyncSession, center_id: str, pickup_id: str) -> PickupRows | None:
    """Give an authorisation with its adult."""
    pickup = await find(session, center_id, pickup_id)
    if pickup is None:
        return None
    relationship = await session.get(Relationship, (center_id, pickup.child_id, pickup.adult_id))
    person = await session.get(Person, (center_id, pickup.adult_id))
    return None if relationship is None or person is None else (pickup, relationship, person)


async def of_child(
    session: AsyncSession, center_id: str, child_id: str, *, since: date | None, announced_by: str | None = None
) -> list[PickupRows]:
    """Give who may collect a child and who must not, by name: those that hold on a day or later, or all.

    `announced_by`: only what this account announced. Those that end last come first, so that the limit cuts what is
    long over.
    """
    person, pickup, relationship = col(Person.id), PickupAuthorisation, Relationship
    statement = (
        select(pickup, relationship, Person)
        .join(
            relationship,
            (col(relationship.center_id) == col(pickup.center_id))
            & (col(relationship.child_id) == col(pickup.child_id))
            & (col(relationship.adult_id) == col(pickup.adult_id)),
        )
        .join(Person, (col(Person.center_id) == col(pickup.center_id)) & (person == col(pickup.adult_id)))
        .where(col(pickup.center_id) == center_id, col(pickup.child_id) == child_id)
    )
    if since is not None:
        statement = statement.where(or_(col(pickup.valid_to).is_(None), col(pickup.valid_to) >= since))
    if announced_by is not None:
        statement = statement.where(col(pickup.announced_by) == announced_by)
    statement = statement.order_by(col(pickup.valid_to).desc().nulls_first(), col(pickup.id)).limit(PICKUPS_MAX)
    found = list(await session.exec(statement))
    return sorted(found, key=lambda one: (one[2].family_name, one[2].given_name, one[0].id))


async def blocked_names(session: AsyncSession, center_id: str, child_id: str) -> list[tuple[str, str]]:
    """Give name and telephone of those who must not collect a child; who was merely withdrawn is not among them."""
    statement = (
        select(col(Person.given_name), col(Person.family_name), col(Person.phone))
        .join(
            PickupAuthorisation,
            (col(PickupAuthorisation.center_id) == col(Person.center_id))
            & (col(PickupAuthorisation.adult_id) == col(Person.id)),
        )
        .where(
            col(PickupAuthorisation.center_id) == center_id,
            col(PickupAuthorisation.child_id) == child_id,
            col(PickupAuthorisation.status).in_([PickupStatus.NOT_AUTHORISED, PickupStatus.SUSPENDED]),
            col(PickupAuthorisation.withdrawn_at).is_(None),
        )
        .order_by(col(Person.id))
        .limit(PICKUPS_MAX)
    )
    return [(f"{given} {family}", phone) for given, family, phone in await session.exec(statement)]


async def count_announced(
    session: AsyncSession, center_id: str, child_id: str, *, announced_by: str, since: date
) -> int:
    """Give how many announcements of an account for a child hold on a day or later."""
    statement = select(func.count()).select_from(PickupAuthorisation).where(*_announced(announced_by, since))
    mine = statement.where(
        col(PickupAuthorisation.center_id) == center_id, col(PickupAuthorisation.child_id) == child_id
    )
    return int((await session.exec(mine)).one())


async def announced(
    session: AsyncSession, center_id: str, *, announced_by: str, since: date
) -> list[PickupAuthorisation]:
    """Give what an account announced at a centre and what holds on a day or later."""
    statement = select(PickupAuthorisation).where(*_announced(announced_by, since))
    mine = statement.where(col(PickupAuthorisation.center_id) == center_id)
    return list(await session.exec(mine.order_by(col(PickupAuthorisation.id)).limit(PICKUPS_MAX)))


def _announced(announced_by: str, since: date) -> tuple[ColumnElement[bool], ...]:
    return (
        col(PickupAuthorisation.announced_by) == announced_by,
        col(PickupAuthorisation.status) == PickupStatus.TEMPORARY.value,
        col(PickupAuthorisation.valid_to) >= since,
    )
