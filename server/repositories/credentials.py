"""The SQL of cards: one, those of a person, and who has one now."""

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.credentials import Credential


async def find(session: AsyncSession, center_id: str, credential_id: str) -> Credential | None:
    """Give a card by its id."""
    return await session.get(Credential, (center_id, credential_id))


async def of_person(session: AsyncSession, center_id: str, person_id: str, *, limit: int) -> list[Credential]:
    """Give the cards of a person, also revoked ones, the newest first."""
    mine = select(Credential).where(col(Credential.center_id) == center_id, col(Credential.person_id) == person_id)
    return list(await session.exec(mine.order_by(col(Credential.created_at).desc(), col(Credential.id)).limit(limit)))


async def is_in_use(session: AsyncSession, center_id: str, seal: str) -> bool:
    """Whether somebody has the card with this seal now."""
    statement = select(col(Credential.id)).where(
        col(Credential.center_id) == center_id, col(Credential.seal) == seal, col(Credential.revoked_at).is_(None)
    )
    return (await session.exec(statement)).one_or_none() is not None
