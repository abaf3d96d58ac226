"""The SQL of centres and rooms as people ask for them."""

from collections.abc import Collection

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.rooms import Center, Organisation, Room
from server.repositories.unit_of_work import Connection

CENTERS_MAX = 1_000
ROOMS_MAX = 1_000


async def find(session: AsyncSession, center_id: str) -> Center | None:
    """Give a centre by its id."""
    return await session.get(Center, center_id)


async def find_by_code(session: AsyncSession, code: str) -> Center | None:
    """Give a centre by its code."""
    return (await session.exec(select(Center).where(col(Center.code) == code))).one_or_none()


async def visible(session: AsyncSession, *, center_ids: Collection[str], organisation_id: str | None) -> list[Center]:
    """Give the centres with these ids, and all of an organisation when there is one, by name."""
    wanted = or_(col(Center.id).in_(list(center_ids)), col(Center.organisation_id) == organisation_id)
    statement = select(Center).where(wanted).order_by(col(Center.name), col(Center.id)).limit(CENTERS_MAX)
    return list(await session.exec(statement))


async def add(session: AsyncSession, center: Center) -> bool:
    """Store a new centre; False when one has its id or its code, also one that this transaction cannot see."""
    statement = insert(Center).values(**center.model_dump()).on_conflict_do_nothing()
    return (await session.exec(statement.returning(col(Center.id)))).scalar_one_or_none() is not None


async def ids_of_organisation(session: AsyncSession, organisation_id: str) -> list[str]:
    """Give the ids of all centres of an organisation."""
    return list(await session.exec(select(Center.id).where(col(Center.organisation_id) == organisation_id)))


async def rooms(session: AsyncSession, center_id: str) -> list[Room]:
    """Give the rooms of a centre in the order people list them."""
    statement = select(Room).where(col(Room.center_id) == center_id)
    ordered = statement.order_by(col(Room.sort), col(Room.name), col(Room.id))
    return list(await session.exec(ordered.limit(ROOMS_MAX)))


async def rooms_read(connection: Connection, center_id: str) -> list[Room]:
    """Give the rooms of a centre as `rooms`, in a transaction that only reads."""
    async with AsyncSession(connection, expire_on_commit=False) as session:
        return await rooms(session, center_id)


async def read(connection: Connection, center_id: str) -> Center | None:
    """Give a centre by its id, in a transaction that only reads."""
    async with AsyncSession(connection, expire_on_commit=False) as session:
        return await find(session, center_id)


async def organisations(session: AsyncSession) -> list[Organisation]:
    """Give all organisations by name."""
    return list(await session.exec(select(Organisation).order_by(col(Organisation.name)).limit(CENTERS_MAX)))
