"""The SQL that children and adults share: a person by its id, and how many there are."""

from collections.abc import Iterable

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.columns import TableRow
from server.models.people import Person, PersonKind
from server.models.rooms import Room


async def find(session: AsyncSession, center_id: str, person_id: str) -> Person | None:
    """Give a person of a centre, of whatever kind."""
    return await session.get(Person, (center_id, person_id))


async def find_room(session: AsyncSession, center_id: str, room_id: str) -> Room | None:
    """Give a room of a centre."""
    return await session.get(Room, (center_id, room_id))


async def is_taken(session: AsyncSession, center_id: str, kind: PersonKind, external_id: str) -> bool:
    """Whether somebody of this kind has this id in roster files."""
    statement = select(col(Person.id)).where(
        col(Person.center_id) == center_id, col(Person.kind) == kind.value, col(Person.external_id) == external_id
    )
    return (await session.exec(statement)).one_or_none() is not None


async def count(session: AsyncSession, center_id: str, kind: PersonKind) -> int:
    """Give how many people of a kind a centre has."""
    mine = select(func.count()).select_from(Person).where(col(Person.center_id) == center_id)
    return int((await session.exec(mine.where(col(Person.kind) == kind.value))).one())


async def add(session: AsyncSession, *waves: Iterable[TableRow]) -> None:
    """Store new rows wave by wave, each after the ones it refers to."""
    for wave in waves:
        session.add_all(wave)
        await session.flush()


async def flush(session: AsyncSession) -> None:
    """Write what was changed, so that what is read next sees it."""
    await session.flush()


async def remove(session: AsyncSession, row: TableRow) -> None:
    """Take a row away."""
    await session.delete(row)
    await session.flush()
