"""The SQL of what must be known of a child."""

from sqlmodel.ext.asyncio.session import AsyncSession

from server.models.people import Alert


async def find(session: AsyncSession, center_id: str, alert_id: str) -> Alert | None:
    """Give an alert by its id."""
    return await session.get(Alert, (center_id, alert_id))
