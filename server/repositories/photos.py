"""The SQL of photos: one whole photo, and the small pictures of a centre, which are read without the photos."""

from collections.abc import Iterable

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.photos import Photo


async def find(session: AsyncSession, center_id: str, person_id: str) -> Photo | None:
    """Give the photo of a person."""
    return await session.get(Photo, (center_id, person_id))


async def tag_of(session: AsyncSession, center_id: str, person_id: str) -> str:
    """Give which photo of a person there is, without the photo; empty when there is none."""
    statement = select(col(Photo.tag)).where(col(Photo.center_id) == center_id, col(Photo.person_id) == person_id)
    return (await session.exec(statement)).one_or_none() or ""


async def of_people(session: AsyncSession, center_id: str, person_ids: Iterable[str]) -> list[Photo]:
    """Give the photos of some people, by their ids; for a family, and not for a centre."""
    statement = select(Photo).where(col(Photo.center_id) == center_id, col(Photo.person_id).in_(list(person_ids)))
    return list(await session.exec(statement.order_by(col(Photo.person_id))))


async def pictures(session: AsyncSession, center_id: str) -> dict[str, bytes]:
    """Give what devices hold of the photos of a centre, by person: the JSON of each record."""
    statement = select(col(Photo.person_id), col(Photo.picture)).where(col(Photo.center_id) == center_id)
    return dict((await session.exec(statement.order_by(col(Photo.person_id)))).all())
